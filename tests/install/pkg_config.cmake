# Builds the consumers with nothing but the compiler and pkg-config's answers, from a prefix that was moved:
# the files must not remember where they were installed.
set(moved ${BINARY_DIR}/moved)
file(REMOVE_RECURSE ${BINARY_DIR})
file(COPY ${PREFIX}/ DESTINATION ${moved})
set(ENV{PKG_CONFIG_PATH} ${moved}/${LIBDIR}/pkgconfig)

foreach(module sinnet sinnet-core)
  execute_process(COMMAND pkg-config --modversion ${module} OUTPUT_VARIABLE version
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  if(NOT version STREQUAL VERSION)
    message(FATAL_ERROR "${module}.pc says ${version}, the project is ${VERSION}")
  endif()
  execute_process(COMMAND pkg-config --cflags --libs ${module} OUTPUT_VARIABLE flags
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  set(source ${SOURCE_DIR}/io.cpp)
  if(module STREQUAL sinnet-core)
    set(source ${SOURCE_DIR}/core.cpp)
  endif()
  execute_process(COMMAND ${CXX} -std=c++2b -o ${BINARY_DIR}/${module} ${source} ${flags}
                  COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${BINARY_DIR}/${module} ${VERSION} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
