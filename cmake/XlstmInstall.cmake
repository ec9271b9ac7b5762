# cmake --install: the libraries, the public headers, the program, and a package that find_package(xlstm) finds.
include(CMakePackageConfigHelpers)

set(XLSTM_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/xlstm)
get_property(libraries GLOBAL PROPERTY XLSTM_LIBRARIES)
foreach(library IN LISTS libraries)
  string(REGEX REPLACE "^xlstm_" "" name ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
  # Header-only and used inside only: there is nothing to link, so a user need not have it.
  get_target_property(links ${library} INTERFACE_LINK_LIBRARIES)
  if(links)
    list(REMOVE_ITEM links "$<LINK_ONLY:nlohmann_json::nlohmann_json>")
    set_target_properties(${library} PROPERTIES INTERFACE_LINK_LIBRARIES "${links}")
  endif()
endforeach()
add_library(xlstm::xlstm ALIAS xlstm)

install(TARGETS ${libraries} EXPORT xlstmTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT xlstmTargets NAMESPACE xlstm:: DESTINATION ${XLSTM_CMAKE_DIR})

# Public headers: no kernel, no device folder, so neither Highway nor MLX is needed to include them.
foreach(folder base config tokenizer text sampling checkpoint state model quantize generation scheduler engine)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/xlstm/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xlstm FILES_MATCHING PATTERN *.h)
endforeach()
file(GLOB backend_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/xlstm/backend/*.h)
install(FILES ${backend_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xlstm/backend)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/xlstmConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/xlstmConfig.cmake
  INSTALL_DESTINATION ${XLSTM_CMAKE_DIR})
# Before 1.0 a minor release may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/xlstmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/xlstmConfig.cmake ${PROJECT_BINARY_DIR}/cmake/xlstmConfigVersion.cmake
  DESTINATION ${XLSTM_CMAKE_DIR})
