# Tests of the Python package, as a user imports it; a wheel is built and installed only among the long ones.
foreach(topic model service process package)
  add_test(NAME python_${topic} COMMAND ${XLSTM_VENV_PYTHON} -m pytest -q -p no:cacheprovider ${CMAKE_CURRENT_LIST_DIR}/${topic}_test.py)
  set_tests_properties(python_${topic} PROPERTIES LABELS python TIMEOUT 600
    ENVIRONMENT "PYTHONPATH=${PROJECT_BINARY_DIR}/python;PYTHONDONTWRITEBYTECODE=1")
endforeach()
add_test(NAME python_wheel COMMAND ${XLSTM_VENV_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/wheel_test.py)
set_tests_properties(python_wheel PROPERTIES LABELS "python;long" TIMEOUT 3600)
