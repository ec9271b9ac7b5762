#include "xlstm/backend/mlx/cpu_step.h"

#include <mlx/backend/cpu/encoder.h>
#include <mlx/primitives.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "xlstm/backend/mlx/weights.h"
#include "xlstm/base/error.h"

namespace xlstm::backend::mlx {
namespace {

struct Job {
  std::function<void(std::span<float>)> compute;
  std::size_t num_floats = 0;
  std::exception_ptr error;  // written by the stream's thread before the array is ready, read after
};

class CpuStep : public mx::Primitive {
 public:
  CpuStep(mx::Stream stream, std::shared_ptr<Job> job) : Primitive(stream), job_(std::move(job)) {}

  // MLX carries only the text of an exception out of a task, so the job keeps the exception itself.
  void eval_cpu(const std::vector<mx::array>&, std::vector<mx::array>& outputs) override {
    mx::array& out = outputs[0];
    out.set_data(allocate(out.nbytes()));
    mx::cpu::get_command_encoder(stream()).dispatch([job = job_, data = out.data<float>()] {
      try {
        job->compute({data, job->num_floats});
      } catch (...) {
        job->error = std::current_exception();
      }
    });
  }

  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    fail(ErrorCode::unsupported, "mlx-cpu", "expected a CPU stream but got a GPU stream");
  }

  const char* name() const override { return "XlstmCpuStep"; }

 private:
  std::shared_ptr<Job> job_;
};

}  // namespace

mx::array run_as_primitive(std::size_t num_floats, std::function<void(std::span<float>)> compute) {
  const auto job = std::make_shared<Job>(Job{std::move(compute), num_floats, nullptr});
  mx::array result = on_stream([&] {
    const mx::Shape shape = to_mlx_shape({static_cast<std::int64_t>(std::max<std::size_t>(1, num_floats))});
    mx::array out(shape, mx::float32, std::make_shared<CpuStep>(thread_stream(), job), {});
    out.eval();
    return out;
  });
  if (job->error) std::rethrow_exception(job->error);
  return result;
}

}  // namespace xlstm::backend::mlx
