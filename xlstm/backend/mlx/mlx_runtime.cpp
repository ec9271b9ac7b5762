#include "xlstm/backend/mlx/mlx_runtime.h"

#include <dlfcn.h>
#include <mlx/version.h>

#include <algorithm>
#include <exception>
#include <new>

#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/base/cores.h"
#include "xlstm/base/error.h"

#define XLSTM_STRING_OF(x) #x
#define XLSTM_STRING(x) XLSTM_STRING_OF(x)

namespace xlstm::backend {

static_assert(MLX_VERSION_NUMERIC == 32004, "this code was written for and measured with MLX 0.32.4");

bool mlx_available() noexcept { return true; }

std::string mlx_version() { return mlx::mx::version(); }

void check_mlx_version() {
  constexpr std::string_view kBuiltFor =
      XLSTM_STRING(MLX_VERSION_MAJOR) "." XLSTM_STRING(MLX_VERSION_MINOR) "." XLSTM_STRING(MLX_VERSION_PATCH);
  mlx::check_version(kBuiltFor, mlx_version());
}

namespace mlx {
namespace {

// Debian's and the wheel's BLAS alike; the first one loaded is the one that libmlx was bound to.
void* find_symbol(const char* name) { return dlsym(RTLD_DEFAULT, name); }

// On x86, mx::compile would shell out to g++ (a second for each kernel) and load the result from a guessable path in
// /tmp, for no gain; see the class comment of MlxBackend.
mx::Stream make_stream() {
  mx::set_compile_mode(mx::CompileMode::disabled);
  return mx::new_stream(mx::Device::cpu);
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

void check_version(std::string_view expected, std::string_view found) {
  if (expected == found) return;
  fail(ErrorCode::unsupported, "mlx", "expected MLX ", expected, " but libmlx is ", found,
       ": run `make setup` and build again, or configure with -DXLSTM_MLX=OFF");
}

mx::Stream thread_stream() {
  thread_local const mx::Stream stream = make_stream();
  return stream;
}

mx::allocator::Data allocate(std::size_t bytes) {
  mx::allocator::Data data = mx::allocator::malloc(bytes);
  if (data.buffer().raw_ptr() == nullptr) {
    fail(ErrorCode::overloaded, "mlx", "expected ", bytes, " bytes of memory but got none");
  }
  return data;
}

std::string blas_library() {
  Dl_info info{};
  void* const sgemm = find_symbol("cblas_sgemm");
  return sgemm != nullptr && dladdr(sgemm, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

bool blas_is_openblas() { return blas_library().find("openblas") != std::string::npos; }

int set_blas_threads(int num_threads) {
  const auto set = reinterpret_cast<void (*)(int)>(find_symbol("openblas_set_num_threads"));
  const auto get = reinterpret_cast<int (*)()>(find_symbol("openblas_get_num_threads"));
  if (set == nullptr || get == nullptr || !blas_is_openblas()) return 1;
  set(num_threads > 0 ? num_threads : available_cores());
  return get();
}

ScopedStream::ScopedStream(mx::Stream stream)
    : device_(mx::default_device()), previous_(mx::peek_default_stream(stream.device)) {
  mx::set_default_device(stream.device);
  mx::set_default_stream(stream);
}

ScopedStream::~ScopedStream() {
  mx::set_default_device(device_);
  if (previous_) mx::set_default_stream(*previous_);
}

void rethrow_as_error() {
  try {
    mx::synchronize(thread_stream());
  } catch (const std::exception&) {
    // A failed task's message, which the exception in flight has already brought here.
  }
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    fail(ErrorCode::overloaded, "mlx", "expected enough memory but got none");
  } catch (const std::exception& error) {
    const std::string message = one_line(error.what());
    const bool memory = message.find("[malloc") != std::string::npos;
    fail(memory ? ErrorCode::overloaded : ErrorCode::internal, "mlx", message);
  }
}

void OwnerThread::check() const {
  if (std::this_thread::get_id() == id_) return;
  fail(ErrorCode::invalid_argument, "mlx", "expected a call from the thread that made the backend but got another");
}

}  // namespace mlx
}  // namespace xlstm::backend
