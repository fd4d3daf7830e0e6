# What `cmake --install` installs: both libraries with their headers, a CMake package that finds what they
# need, and pkg-config files. The program installs itself where it is defined.
include(CMakePackageConfigHelpers)

set(sinnet_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sinnet)

install(TARGETS sinnet_core sinnet_io EXPORT sinnetTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/sinnet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/generated/sinnet/version.hpp
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sinnet)

install(EXPORT sinnetTargets NAMESPACE sinnet:: DESTINATION ${sinnet_package_dir})
configure_package_config_file(cmake/sinnetConfig.cmake.in ${PROJECT_BINARY_DIR}/sinnetConfig.cmake
                              INSTALL_DESTINATION ${sinnet_package_dir}
                              NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sinnetConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sinnetConfig.cmake ${PROJECT_BINARY_DIR}/sinnetConfigVersion.cmake
        DESTINATION ${sinnet_package_dir})

# pkg-config. The prefix is worked out from the file's own place, so a tree that is moved still serves.
file(RELATIVE_PATH sinnet_pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
foreach(name sinnet sinnet-core)
  configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
