# How every target of ours is compiled: C++23, hidden visibility, warnings, sanitizers.
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})  # so that the program is build/<preset>/sinnet
endif()

function(sinnet_compile target)
  target_compile_features(${target} PUBLIC cxx_std_23)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON
    INTERPROCEDURAL_OPTIMIZATION ${SINNET_LTO})
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
    $<$<BOOL:${SINNET_WERROR}>:-Werror>)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  if(SINNET_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${SINNET_SANITIZE} -fno-omit-frame-pointer
                                            -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${SINNET_SANITIZE})
  endif()
  if(SINNET_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)  # coverage, without libFuzzer's main
  endif()
endfunction()

# The version as a header, so that a program can say what it was built against.
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.hpp.in ${PROJECT_BINARY_DIR}/generated/sinnet/version.hpp)

# A library of the public API: its headers, its export name.
function(sinnet_library target export_name)
  add_library(sinnet::${export_name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${export_name} OUTPUT_NAME sinnet_${export_name})
  if(SINNET_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Machine code beside the LTO form: an installed archive then serves any compiler and `nm`.
    target_compile_options(${target} PRIVATE -ffat-lto-objects)
  endif()
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()
