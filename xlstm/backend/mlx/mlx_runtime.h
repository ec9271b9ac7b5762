// What every user of MLX here needs first: the right version, a stream, and one kind of error.
#pragma once

#include <mlx/mlx.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace xlstm::backend::mlx {

namespace mx = ::mlx::core;

/// Throws unsupported unless both are equal.
void check_version(std::string_view expected, std::string_view found);

/// This thread's stream on the CPU device, made on first use. MLX never gives a stream back, so there is one for each
/// thread and for ever, whatever the number of backends.
mx::Stream thread_stream();

/// Memory from MLX's allocator. Errors: overloaded. (MLX 0.32.4 itself does not look whether it got any on CPU: an op
/// whose output does not fit ends the process, so backends weigh what they need before they start.)
mx::allocator::Data allocate(std::size_t bytes);

/// Path of the library whose cblas_sgemm MLX calls.
std::string blas_library();
/// True if that is OpenBLAS.
bool blas_is_openblas();
/// Sets the number of threads of OpenBLAS (0: available_cores()) and returns what is now in use; 1 with another BLAS.
int set_blas_threads(int num_threads);

/// Makes a stream the default of the calling thread. Where a thread had no default before, this one stays: making one
/// only to put it back would cost an OS thread.
class ScopedStream {
 public:
  explicit ScopedStream(mx::Stream stream);
  ~ScopedStream();
  ScopedStream(const ScopedStream&) = delete;
  ScopedStream& operator=(const ScopedStream&) = delete;

 private:
  mx::Device device_;
  std::optional<mx::Stream> previous_;
};

/// Inside a catch block: waits until the thread's stream is idle, then throws the exception in flight as an Error:
/// one that is an Error already as it is, lack of memory as overloaded, anything else as internal.
[[noreturn]] void rethrow_as_error();

/// Calls f with the thread's stream as default. When it throws (Errors only), nothing of f still runs on the stream.
template <class F>
decltype(auto) on_stream(F&& f) {
  try {
    const ScopedStream scope(thread_stream());
    return std::forward<F>(f)();
  } catch (...) {
    rethrow_as_error();
  }
}

/// Remembers the thread that made it.
class OwnerThread {
 public:
  /// Throws invalid_argument on any other thread.
  void check() const;

 private:
  std::thread::id id_ = std::this_thread::get_id();
};

}  // namespace xlstm::backend::mlx
