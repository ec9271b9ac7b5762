#include "xlstm/model/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/huge_memory.h"
#include "xlstm/base/thread_pool.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::model {
namespace {

// Reference section 1.2. 165m has the FFN width of the torch code.
const std::vector<SyntheticShape>& shapes() {
  static const std::vector<SyntheticShape> table = {{"7b", 4096, 32, 8, 256, 512, 10944},
                                                    {"2.7b", 2560, 32, 5, 256, 512, 6848},
                                                    {"1.3b", 2048, 24, 4, 256, 512, 5504},
                                                    {"165m", 768, 12, 4, 96, 192, 2048},
                                                    // Weights that cost nothing: what is left is a step's fixed cost.
                                                    {"step64", 64, 1, 4, 8, 16, 192, 256}};
  return table;
}

constexpr std::size_t kAlign = 64;  // bytes: a cache line, and the widest vector

enum class Fill { uniform, ones, igate_bias, fgate_bias };

struct Planned {
  std::string name;
  Shape shape;
  Fill fill;
  std::size_t offset = 0;  // bytes from the start of the region
};

// Every tensor of the network, in the order of evaluation, and the memory they take together.
class Plan {
 public:
  Plan(const SyntheticShape& shape, DType dtype) : dtype_(dtype) {
    const std::int64_t dim = shape.embedding_dim;
    add("backbone.embeddings.weight", {shape.vocab_size, dim}, Fill::uniform);
    for (std::int64_t b = 0; b < shape.num_blocks; ++b) add_block(shape, "backbone.blocks." + std::to_string(b) + '.');
    add("backbone.out_norm.weight", {dim}, Fill::ones);
    add("lm_head.weight", {shape.vocab_size, dim}, Fill::uniform);
  }

  const std::vector<Planned>& tensors() const { return tensors_; }
  std::size_t nbytes() const { return nbytes_; }

 private:
  void add(std::string name, Shape shape, Fill fill) {
    const std::size_t bytes = static_cast<std::size_t>(shape_size(shape)) * dtype_size(dtype_);
    tensors_.push_back({std::move(name), std::move(shape), fill, nbytes_});
    nbytes_ += (bytes + kAlign - 1) / kAlign * kAlign;
  }

  void add_block(const SyntheticShape& shape, const std::string& prefix) {
    const std::int64_t dim = shape.embedding_dim, heads = shape.num_heads;
    const std::int64_t qk = heads * shape.qk_head_dim, v = heads * shape.v_head_dim;
    const std::string layer = prefix + "mlstm_layer.", ffn = prefix + "ffn.";
    add(prefix + "norm_mlstm.weight", {dim}, Fill::ones);
    add(layer + "q.weight", {qk, dim}, Fill::uniform);
    add(layer + "k.weight", {qk, dim}, Fill::uniform);
    add(layer + "v.weight", {v, dim}, Fill::uniform);
    add(layer + "ogate_preact.weight", {v, dim}, Fill::uniform);
    add(layer + "igate_preact.weight", {heads, dim}, Fill::uniform);
    add(layer + "igate_preact.bias", {heads}, Fill::igate_bias);
    add(layer + "fgate_preact.weight", {heads, dim}, Fill::uniform);
    add(layer + "fgate_preact.bias", {heads}, Fill::fgate_bias);
    add(layer + "multihead_norm.weight", {v}, Fill::ones);
    add(layer + "out_proj.weight", {dim, v}, Fill::uniform);
    add(prefix + "norm_ffn.weight", {dim}, Fill::ones);
    add(ffn + "proj_up_gate.weight", {shape.ffn_dim, dim}, Fill::uniform);
    add(ffn + "proj_up.weight", {shape.ffn_dim, dim}, Fill::uniform);
    add(ffn + "proj_down.weight", {dim, shape.ffn_dim}, Fill::uniform);
  }

  DType dtype_;
  std::vector<Planned> tensors_;
  std::size_t nbytes_ = 0;
};

// Random words by counter: the output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
std::uint64_t random_word(std::uint64_t counter) {
  std::uint64_t z = counter * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// One word picks five of 4096 levels, so that a weight costs a look-up and no conversion whatever its type.
constexpr std::size_t kPerWord = 5;
constexpr unsigned kLevelBits = 12;
constexpr std::size_t kLevels = std::size_t{1} << kLevelBits;
constexpr std::size_t kWordsPerTask = std::size_t{1} << 18;

template <class Bits>
void fill_levels(Bits* to, std::size_t count, std::uint64_t counter, const Bits* levels) {
  const auto level = [&](std::uint64_t word, std::size_t i) {
    return levels[(word >> (kLevelBits * i)) & (kLevels - 1)];
  };
  std::size_t done = 0;
  for (; done + kPerWord <= count; done += kPerWord) {
    const std::uint64_t word = random_word(counter++);
    for (std::size_t i = 0; i < kPerWord; ++i) to[done + i] = level(word, i);
  }
  const std::uint64_t word = random_word(counter);
  for (std::size_t i = 0; done + i < count; ++i) to[done + i] = level(word, i);
}

// A part of one tensor, filled by one thread.
struct Task {
  const Planned* tensor;
  std::size_t begin, count;  // elements; begin is a multiple of kPerWord
  std::uint64_t counter;     // of the first word
};

std::vector<Task> make_tasks(const Plan& plan, std::uint64_t seed) {
  std::vector<Task> tasks;
  std::uint64_t counter = random_word(seed + 1);  // far apart for neighbouring seeds
  for (const Planned& tensor : plan.tensors()) {
    if (tensor.fill != Fill::uniform) continue;
    const auto size = static_cast<std::size_t>(shape_size(tensor.shape));
    for (std::size_t begin = 0; begin < size; begin += kPerWord * kWordsPerTask) {
      tasks.push_back({&tensor, begin, std::min(size - begin, kPerWord * kWordsPerTask), counter});
      counter += kWordsPerTask;
    }
  }
  return tasks;
}

// The levels lie evenly in (-a, a); a uniform number there has the variance a^2 / 3 = 1 / in.
void run_task(const Task& task, DType dtype, std::byte* region) {
  const double a = std::sqrt(3.0 / static_cast<double>(task.tensor->shape.back()));
  std::array<float, kLevels> values;
  for (std::size_t i = 0; i < kLevels; ++i) {
    values[i] = static_cast<float>(a * ((2.0 * static_cast<double>(i) + 1.0) / static_cast<double>(kLevels) - 1.0));
  }
  std::byte* const to = region + task.tensor->offset + task.begin * dtype_size(dtype);
  if (dtype == DType::float32) {
    fill_levels(reinterpret_cast<float*>(to), task.count, task.counter, values.data());
  } else {
    std::array<std::uint16_t, kLevels> bits;
    narrow_from_float32(dtype, values.data(), kLevels, bits.data());
    fill_levels(reinterpret_cast<std::uint16_t*>(to), task.count, task.counter, bits.data());
  }
}

// Norm weights 1; biases so that a fresh state is written slowly (i) and heads forget at different rates (f), reference
// Q35.
void fill_vector(const Planned& tensor, DType dtype, std::byte* region) {
  const auto size = static_cast<std::size_t>(shape_size(tensor.shape));
  std::vector<float> values(size, tensor.fill == Fill::ones ? 1.0f : -10.0f);
  if (tensor.fill == Fill::fgate_bias) {
    for (std::size_t i = 0; i < size; ++i) {
      values[i] =
          size == 1 ? 3.0f : static_cast<float>(3.0 + 3.0 * static_cast<double>(i) / static_cast<double>(size - 1));
    }
  }
  narrow_from_float32(dtype, values.data(), size, region + tensor.offset);
}

config::ModelConfig make_config(const SyntheticShape& shape) {
  config::ModelConfig config;
  config.layout = "huggingface";
  config.vocab_size = shape.vocab_size;
  config.embedding_dim = shape.embedding_dim;
  config.num_blocks = shape.num_blocks;
  config.blocks.assign(static_cast<std::size_t>(shape.num_blocks), config::BlockKind::mlstm);
  config.num_heads = shape.num_heads;
  config.gate_soft_cap = 15.0f;
  config.output_logit_soft_cap = 30.0f;
  config.bos_token_id = 0;
  config.eos_token_ids = {0};
  return config;
}

}  // namespace

std::vector<std::string> synthetic_names() {
  std::vector<std::string> names;
  for (const SyntheticShape& shape : shapes()) names.push_back(shape.name);
  return names;
}

SyntheticShape synthetic_shape(std::string_view name) {
  std::string names;
  for (const SyntheticShape& shape : shapes()) {
    if (shape.name == name) return shape;
    names += (names.empty() ? "" : ", ") + shape.name;
  }
  fail(ErrorCode::invalid_argument, "synthetic", "expected one of ", names, " but got \"", name, "\"");
}

std::shared_ptr<const Model> make_synthetic(std::string_view name, DType dtype, std::uint64_t seed) {
  return make_synthetic(synthetic_shape(name), dtype, seed);
}

std::shared_ptr<const Model> make_synthetic(const SyntheticShape& shape, DType dtype, std::uint64_t seed,
                                            const checkpoint::AvailableMemory& available) {
  if (!is_weight_dtype(dtype)) {
    fail(ErrorCode::invalid_argument, "synthetic", "expected float32, float16 or bfloat16 but got ", dtype_name(dtype));
  }
  const Plan plan(shape, dtype);
  checkpoint::Checkpoint checkpoint;
  checkpoint.source = "synthetic " + shape.name;
  checkpoint::require_memory(plan.nbytes(), checkpoint.source, "the weights", available);
  const std::shared_ptr<std::byte> region = allocate_huge(plan.nbytes());

  const std::vector<Task> tasks = make_tasks(plan, seed);
  ThreadPool pool;
  pool.parallel_for(std::ssize(tasks),
                    [&](std::int64_t i) { run_task(tasks[static_cast<std::size_t>(i)], dtype, region.get()); });
  for (const Planned& tensor : plan.tensors()) {
    if (tensor.fill != Fill::uniform) fill_vector(tensor, dtype, region.get());
    checkpoint.tensors[tensor.name] = {tensor.name, dtype, tensor.shape, region.get() + tensor.offset,
                                       checkpoint.source};
  }
  checkpoint.config = make_config(shape);
  checkpoint.config_file = checkpoint.source;
  checkpoint.storage = {region};
  // The weights are in memory already; what build_model widens comes on top.
  return build_model(checkpoint, [&] {
    const std::size_t left = available();
    return left > std::numeric_limits<std::size_t>::max() - plan.nbytes() ? left : left + plan.nbytes();
  });
}

}  // namespace xlstm::model
