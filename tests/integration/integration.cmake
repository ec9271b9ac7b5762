# Tests of the project as a user meets it: the checks of the tree, the installed package.
find_package(Python3 3.10 REQUIRED COMPONENTS Interpreter)

add_test(NAME integration_checks COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/layers/checks_test.py)
set_tests_properties(integration_checks PROPERTIES LABELS integration TIMEOUT 300)

add_test(NAME integration_install COMMAND ${CMAKE_COMMAND}
  -DBUILD_DIR=${PROJECT_BINARY_DIR} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DCXX_COMPILER=${CMAKE_CXX_COMPILER}
  -DLAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER} -DSANITIZE=${XLSTM_SANITIZE} -P ${CMAKE_CURRENT_LIST_DIR}/install/install_test.cmake)
set_tests_properties(integration_install PROPERTIES LABELS integration TIMEOUT 600)

# Sanitizers keep freed memory for a while, which is what this test must not see.
if(NOT XLSTM_SANITIZE)
  foreach(kind soak requests_soak)
    add_test(NAME integration_${kind} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/soak/${kind}_test.py $<TARGET_FILE:xlstm_cli>)
    set_tests_properties(integration_${kind} PROPERTIES LABELS "integration;long" TIMEOUT 3600)
  endforeach()
endif()

foreach(rounds 40 1000)
  set(name integration_state_kill_${rounds})
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/state/kill_test.py $<TARGET_FILE:xlstm_cli> ${rounds})
  set_tests_properties(${name} PROPERTIES LABELS integration TIMEOUT 1800)
endforeach()
set_tests_properties(integration_state_kill_1000 PROPERTIES LABELS "integration;long")

add_test(NAME integration_serve COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/server/serve_test.py $<TARGET_FILE:xlstm_cli>)
set_tests_properties(integration_serve PROPERTIES LABELS integration TIMEOUT 300)
