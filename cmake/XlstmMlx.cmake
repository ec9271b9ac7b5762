# Finds the MLX wheels of XLSTM_VENV_PYTHON and makes the targets that use them:
#   xlstm_mlx_wheel  headers and libmlx, with the reference BLAS that the wheel brings
#   xlstm_mlx        the same with OpenBLAS in front
set(XLSTM_MLX_VERSION 0.32.4)  # patch releases change API and ABI (0.32.2 -> 0.32.4 did), so exactly this one

function(xlstm_mlx_refuse found)
  message(FATAL_ERROR "MLX: expected mlx ${XLSTM_MLX_VERSION} and mlx-cpu ${XLSTM_MLX_VERSION} for ${XLSTM_VENV_PYTHON}, found ${found}. "
    "Run `make setup`, set XLSTM_VENV_PYTHON, or build without MLX: -DXLSTM_MLX=OFF")
endfunction()

if(NOT EXISTS ${XLSTM_VENV_PYTHON})
  xlstm_mlx_refuse("no such Python")
endif()
set(isolated -I)
if(SKBUILD)
  set(isolated "")  # pip names the environment of a build in PYTHONPATH
endif()
execute_process(
  COMMAND ${XLSTM_VENV_PYTHON} ${isolated} -c "from importlib import metadata, util
def version(name):
    try: return metadata.version(name)
    except metadata.PackageNotFoundError: return 'none'
spec = util.find_spec('mlx')
print(version('mlx'), version('mlx-cpu'), next(iter(spec.submodule_search_locations)) if spec else 'none', sep=';', end='')"
  OUTPUT_VARIABLE found RESULT_VARIABLE failed)
if(failed)
  xlstm_mlx_refuse("a Python that does not run")
endif()
list(GET found 0 mlx_version)
list(GET found 1 mlx_cpu_version)
list(GET found 2 mlx_root)
if(NOT mlx_version STREQUAL XLSTM_MLX_VERSION OR NOT mlx_cpu_version STREQUAL XLSTM_MLX_VERSION)
  xlstm_mlx_refuse("mlx ${mlx_version} and mlx-cpu ${mlx_cpu_version}")
endif()

set(MLX_DIR ${mlx_root}/share/cmake/MLX CACHE PATH "Directory of MLXConfig.cmake" FORCE)
find_package(MLX CONFIG REQUIRED)
get_target_property(mlx_library mlx LOCATION)

# libmlx is named by its path, not by MLX's imported target, so that an exported xlstm needs no find_package(MLX).
add_library(xlstm_mlx_wheel INTERFACE)
target_include_directories(xlstm_mlx_wheel SYSTEM INTERFACE $<BUILD_INTERFACE:${mlx_root}/include>)
target_link_libraries(xlstm_mlx_wheel INTERFACE ${mlx_library} ${CMAKE_DL_LIBS})

# The wheel's libmlx asks for a BLAS of its own (reference code, 1-3 GFLOP/s). Symbols bind to the first library that has
# them, so OpenBLAS stands in front of libmlx in the list of needed libraries, although nothing of ours calls it.
# One linker argument: no reordering by CMake can take it apart.
find_library(XLSTM_OPENBLAS openblas PATH_SUFFIXES openblas-pthread
  DOC "OpenBLAS for MLX's float32 matmul (Debian: libopenblas-pthread-dev)")
if(NOT XLSTM_OPENBLAS)
  message(FATAL_ERROR "MLX: expected OpenBLAS (Debian: libopenblas-pthread-dev), found none. "
    "Run `make setup`, set XLSTM_OPENBLAS, or build without MLX: -DXLSTM_MLX=OFF")
endif()
add_library(xlstm_mlx INTERFACE)
target_link_libraries(xlstm_mlx INTERFACE
  "-Wl,--push-state,--no-as-needed,${XLSTM_OPENBLAS},--pop-state" xlstm_mlx_wheel)
set_property(GLOBAL APPEND PROPERTY XLSTM_LIBRARIES xlstm_mlx xlstm_mlx_wheel)

# CMake gives programs in the build tree a path to libmlx by itself; installed ones are told, since .venv lies inside the
# project, which CMAKE_INSTALL_RPATH_USE_LINK_PATH leaves out.
get_filename_component(mlx_library_dir ${mlx_library} DIRECTORY)
set(CMAKE_INSTALL_RPATH ${mlx_library_dir})
message(STATUS "MLX ${mlx_version}: ${mlx_library}, BLAS ${XLSTM_OPENBLAS}")
