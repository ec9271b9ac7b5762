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
  add_test(NAME integration_soak COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/soak/soak_test.py $<TARGET_FILE:xlstm_cli>)
  set_tests_properties(integration_soak PROPERTIES LABELS "integration;long" TIMEOUT 3600)
endif()
