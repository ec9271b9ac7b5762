# How a folder of the library, or of the tests, becomes a target.

add_library(xlstm_options INTERFACE)
target_compile_options(xlstm_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  # No silent contraction into fma: a sum has the same bits wherever the compiler inlines it.
  -ffp-contract=off)
if(XLSTM_WERROR)
  target_compile_options(xlstm_options INTERFACE -Werror)
endif()
if(XLSTM_SANITIZE)
  target_compile_options(xlstm_options INTERFACE -fsanitize=${XLSTM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(xlstm_options INTERFACE -fsanitize=${XLSTM_SANITIZE})
endif()

# xlstm_library(<folder> [FOLDERS sub...] [PUBLIC lib...] [PRIVATE lib...] [DEFINES def...]): target xlstm_<name> from xlstm/<folder>/*.cpp.
function(xlstm_library name)
  cmake_parse_arguments(ARG "" "" "FOLDERS;PUBLIC;PRIVATE;DEFINES" ${ARGN})
  if(NOT ARG_FOLDERS)
    set(ARG_FOLDERS ${name})
  endif()
  set(sources)
  foreach(folder IN LISTS ARG_FOLDERS)
    file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/xlstm/${folder}/*.cpp)
    list(APPEND sources ${found})
  endforeach()
  if(sources)
    add_library(xlstm_${name} STATIC ${sources})
    target_include_directories(xlstm_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(xlstm_${name} PUBLIC ${ARG_PUBLIC} PRIVATE $<BUILD_INTERFACE:xlstm_options> ${ARG_PRIVATE})
    target_compile_definitions(xlstm_${name} PRIVATE ${ARG_DEFINES})
    target_compile_features(xlstm_${name} PUBLIC cxx_std_20)
  else()
    add_library(xlstm_${name} INTERFACE)
    target_include_directories(xlstm_${name} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(xlstm_${name} INTERFACE ${ARG_PUBLIC})
  endif()
  set_property(GLOBAL APPEND PROPERTY XLSTM_LIBRARIES xlstm_${name})
endfunction()

# xlstm_test(<kind>/<name> lib...): one GoogleTest program from tests/<kind>/<name>/*_test.cpp, labelled <kind>.
function(xlstm_test path)
  get_filename_component(kind ${path} DIRECTORY)
  string(REPLACE "/" "_" target ${path})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${path}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE xlstm_options ${ARGN} GTest::gmock GTest::gtest_main rapidcheck)
  target_compile_definitions(${target} PRIVATE XLSTM_SOURCE_DIR="${PROJECT_SOURCE_DIR}" XLSTM_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set(timeout 600)
  if(CMAKE_CROSSCOMPILING)
    set(timeout 3600)  # an emulator takes ten to thirty times as long
  endif()
  gtest_discover_tests(${target} TEST_PREFIX "${target}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    NO_PRETTY_VALUES  # names as GoogleTest has them: how a value prints may be its bytes, addresses among them
    PROPERTIES LABELS ${kind} TIMEOUT ${timeout})
endfunction()
