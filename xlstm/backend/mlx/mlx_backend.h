// The two backends that run on MLX, free of MLX's own headers. Built from backend/mlx or, without MLX, backend/no_mlx.
#pragma once

#include <memory>
#include <string>

#include "xlstm/backend/backend.h"

namespace xlstm::backend {

/// Whether this build has MLX.
bool mlx_available() noexcept;
/// Version of the libmlx that was loaded, for example "0.32.4"; "" without MLX.
std::string mlx_version();
/// To be called at program start: throws unsupported when the libmlx that was loaded is not the one this was built for.
/// Does nothing without MLX. The factories below call it too.
void check_mlx_version();

/// "mlx": the network as a graph of plain MLX ops in float32, the slow reference. Weights are widened to float32 in
/// MLX's own memory when it is made. Every call must come from the thread that made it (invalid_argument otherwise).
/// options.num_threads sets the threads of the BLAS, which the whole process shares.
/// Errors: unsupported without MLX or for another state_dtype than float32, overloaded when memory does not suffice.
std::unique_ptr<Backend> make_mlx_backend(std::shared_ptr<const model::Model> model, const Options& options);

/// "mlx-cpu": the CPU backend, each prefill segment or decode step of which runs as one MLX primitive on an MLX stream.
/// States are the CPU backend's. Thread rule and errors as above.
std::unique_ptr<Backend> make_mlx_cpu_backend(std::shared_ptr<const model::Model> model, const Options& options);

}  // namespace xlstm::backend
