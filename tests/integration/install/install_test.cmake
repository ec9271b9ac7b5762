# A user's road: install into an empty prefix, find_package(xlstm), build examples/cpp against it, run it.
# Needs -DBUILD_DIR -DSOURCE_DIR -DCXX_COMPILER [-DLAUNCHER] [-DSANITIZE].
cmake_minimum_required(VERSION 3.25)

# run(<what> command...): stops the test when the command fails; its output is in `output`.
function(run what)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${scratch} RESULT_VARIABLE status OUTPUT_VARIABLE stdout ERROR_VARIABLE stderr)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} ended with ${status}\n${stdout}\n${stderr}")
  endif()
  set(output "${stdout}" PARENT_SCOPE)
endfunction()

# expect(<regex>): the last output must match.
function(expect regex)
  if(NOT output MATCHES "${regex}")
    message(FATAL_ERROR "expected output that matches \"${regex}\" but got:\n${output}")
  endif()
endfunction()

set(scratch ${BUILD_DIR}/install_test)
set(prefix ${scratch}/prefix)
file(REMOVE_RECURSE ${scratch})
file(MAKE_DIRECTORY ${scratch})
run("install" ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})

# The promise of the public headers: no kernel, no device.
file(GLOB_RECURSE headers RELATIVE ${prefix}/include ${prefix}/include/*.h)
if(NOT "xlstm/engine/engine.h" IN_LIST headers OR NOT "xlstm/backend/backend.h" IN_LIST headers)
  message(FATAL_ERROR "expected xlstm/engine/engine.h and xlstm/backend/backend.h among the installed headers: ${headers}")
endif()
set(all_headers "")
foreach(header IN LISTS headers)
  if(header MATCHES "xlstm/kernels/|xlstm/backend/.+/")
    message(FATAL_ERROR "${header} must not be installed")
  endif()
  file(STRINGS ${prefix}/include/${header} device_includes REGEX "# *include *[<\"](hwy|mlx)/")
  if(device_includes)
    message(FATAL_ERROR "${header} needs a device's header: ${device_includes}")
  endif()
  string(APPEND all_headers "#include \"${header}\"\n#include \"${header}\"\n")
endforeach()
file(WRITE ${scratch}/headers.cpp "${all_headers}")
run("compile every installed header" ${CXX_COMPILER} -std=c++20 -fsyntax-only -I ${prefix}/include ${scratch}/headers.cpp)

set(flags "")
if(SANITIZE)
  set(flags -DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE})
endif()
run("configure the example" ${CMAKE_COMMAND} -S ${SOURCE_DIR}/examples/cpp -B ${scratch}/example -G Ninja
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}
  -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF ${flags})
run("build the example" ${CMAKE_COMMAND} --build ${scratch}/example)

run("run the example" ${scratch}/example/example)
expect("^In the beginning God[^\n]*[a-z]")
expect("fork agrees: yes")
expect("file agrees: yes")
set(embedded "${output}")
run("run the example on a directory" ${scratch}/example/example ${SOURCE_DIR}/models/bard-8m)
if(NOT output STREQUAL embedded)
  message(FATAL_ERROR "expected the embedded model's text from models/bard-8m but got:\n${output}\ninstead of:\n${embedded}")
endif()

run("the installed program" ${prefix}/bin/xlstm --version)
expect("0\\.1\\.0")

execute_process(COMMAND ${scratch}/example/example ${scratch}/nowhere RESULT_VARIABLE status ERROR_VARIABLE output)
if(NOT status EQUAL 1)
  message(FATAL_ERROR "expected exit status 1 for a model that is not there but got ${status}")
endif()
expect("^example: .*nowhere")
