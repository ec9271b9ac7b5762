#include "xlstm/model/synthetic_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "xlstm/base/thread_pool.h"
#include "xlstm/kernels/cpu/affine.h"

namespace xlstm::model {
namespace {

constexpr std::size_t kAlign = 64;  // bytes: a cache line, and the widest vector

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
  const PlannedTensor* tensor;
  std::size_t begin, count;  // elements; begin is a multiple of kPerWord and of every group size
  std::uint64_t counter;     // of the first word
};

std::vector<Task> make_tasks(const SyntheticPlan& plan, std::uint64_t seed) {
  std::vector<Task> tasks;
  std::uint64_t counter = random_word(seed + 1);  // far apart for neighbouring seeds
  for (const PlannedTensor& tensor : plan.tensors()) {
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
std::array<float, kLevels> level_values(std::int64_t in) {
  const double a = std::sqrt(3.0 / static_cast<double>(in));
  std::array<float, kLevels> values;
  for (std::size_t i = 0; i < kLevels; ++i) {
    values[i] = static_cast<float>(a * ((2.0 * static_cast<double>(i) + 1.0) / static_cast<double>(kLevels) - 1.0));
  }
  return values;
}

// Quantises the numbers that the dtype holds, a block at a time.
void run_quantized_task(const Task& task, const SyntheticFormat& format, std::byte* region) {
  constexpr std::size_t kBlockWords = 2048, kBlock = kPerWord * kBlockWords, kGroups = kBlock / 32;
  std::array<float, kLevels> levels = level_values(task.tensor->shape.back());
  std::array<std::uint16_t, 2 * kLevels> bits;  // room for any dtype
  narrow_from_float32(format.dtype, levels.data(), kLevels, bits.data());
  widen_to_float32(format.dtype, bits.data(), kLevels, levels.data());
  const auto [width, group_size] = *format.groups;
  std::array<float, kBlock> values;
  std::array<float, kGroups> scales, biases;
  for (std::size_t done = 0; done < task.count; done += kBlock) {
    const std::size_t count = std::min(kBlock, task.count - done), begin = task.begin + done;
    const std::size_t group = begin / static_cast<std::size_t>(group_size),
                      groups = count / static_cast<std::size_t>(group_size);
    fill_levels(values.data(), count, task.counter + done / kPerWord, levels.data());
    std::byte* const words = region + task.tensor->offset + begin * static_cast<std::size_t>(width) / 8;
    kernels::affine_quantize(values.data(), static_cast<std::int64_t>(count), width, group_size,
                             reinterpret_cast<std::uint32_t*>(words), scales.data(), biases.data());
    const std::size_t at = group * dtype_size(format.dtype);
    narrow_from_float32(format.dtype, scales.data(), groups, region + task.tensor->scales_offset + at);
    narrow_from_float32(format.dtype, biases.data(), groups, region + task.tensor->biases_offset + at);
  }
}

void run_task(const Task& task, const SyntheticFormat& format, std::byte* region) {
  if (task.tensor->quantized) return run_quantized_task(task, format, region);
  const DType dtype = format.dtype;
  const std::array<float, kLevels> values = level_values(task.tensor->shape.back());
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
void fill_vector(const PlannedTensor& tensor, DType dtype, std::byte* region) {
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

}  // namespace

SyntheticPlan::SyntheticPlan(const SyntheticShape& shape, const SyntheticFormat& format) : format_(format) {
  const std::int64_t dim = shape.embedding_dim;
  matrix("backbone.embeddings", shape.vocab_size, dim);
  for (std::int64_t b = 0; b < shape.num_blocks; ++b) add_block(shape, "backbone.blocks." + std::to_string(b) + '.');
  add("backbone.out_norm.weight", {dim}, Fill::ones);
  matrix("lm_head", shape.vocab_size, dim);
}

// Takes memory; returns where it is.
std::size_t SyntheticPlan::take(std::int64_t bytes) {
  const std::size_t offset = nbytes_;
  nbytes_ += (static_cast<std::size_t>(bytes) + kAlign - 1) / kAlign * kAlign;
  return offset;
}

void SyntheticPlan::add(std::string name, Shape shape, Fill fill) {
  PlannedTensor tensor = {std::move(name), std::move(shape), fill};
  tensor.offset = take(shape_size(tensor.shape) * static_cast<std::int64_t>(dtype_size(format_.dtype)));
  tensors_.push_back(std::move(tensor));
}

void SyntheticPlan::matrix(const std::string& module, std::int64_t out, std::int64_t in) {
  if (!format_.groups || in % format_.groups->group_size != 0) return add(module + ".weight", {out, in}, Fill::uniform);
  const std::int64_t size = out * in;
  const std::int64_t parameters =
      size / format_.groups->group_size * static_cast<std::int64_t>(dtype_size(format_.dtype));
  PlannedTensor tensor = {module + ".weight", {out, in}, Fill::uniform, true};
  tensor.offset = take(size * format_.groups->bits / 8);
  tensor.scales_offset = take(parameters);
  tensor.biases_offset = take(parameters);
  tensors_.push_back(std::move(tensor));
}

void SyntheticPlan::add_block(const SyntheticShape& shape, const std::string& prefix) {
  const std::int64_t dim = shape.embedding_dim, heads = shape.num_heads;
  const std::int64_t qk = heads * shape.qk_head_dim, v = heads * shape.v_head_dim;
  const std::string layer = prefix + "mlstm_layer.", ffn = prefix + "ffn.";
  add(prefix + "norm_mlstm.weight", {dim}, Fill::ones);
  matrix(layer + "q", qk, dim);
  matrix(layer + "k", qk, dim);
  matrix(layer + "v", v, dim);
  matrix(layer + "ogate_preact", v, dim);
  add(layer + "igate_preact.weight", {heads, dim}, Fill::uniform);
  add(layer + "igate_preact.bias", {heads}, Fill::igate_bias);
  add(layer + "fgate_preact.weight", {heads, dim}, Fill::uniform);
  add(layer + "fgate_preact.bias", {heads}, Fill::fgate_bias);
  add(layer + "multihead_norm.weight", {v}, Fill::ones);
  matrix(layer + "out_proj", dim, v);
  add(prefix + "norm_ffn.weight", {dim}, Fill::ones);
  matrix(ffn + "proj_up_gate", shape.ffn_dim, dim);
  matrix(ffn + "proj_up", shape.ffn_dim, dim);
  matrix(ffn + "proj_down", dim, shape.ffn_dim);
}

void fill_weights(const SyntheticPlan& plan, const SyntheticFormat& format, std::uint64_t seed, std::byte* region) {
  const std::vector<Task> tasks = make_tasks(plan, seed);
  ThreadPool pool;
  pool.parallel_for(std::ssize(tasks),
                    [&](std::int64_t i) { run_task(tasks[static_cast<std::size_t>(i)], format, region); });
  for (const PlannedTensor& tensor : plan.tensors()) {
    if (tensor.fill != Fill::uniform) fill_vector(tensor, format.dtype, region);
  }
}

void add_tensors(const PlannedTensor& planned, const SyntheticFormat& format, const std::byte* region,
                 checkpoint::Checkpoint& checkpoint) {
  const auto add = [&](const std::string& name, DType dtype, const Shape& shape, std::size_t offset) {
    checkpoint.tensors[name] = {name, dtype, shape, region + offset, checkpoint.source};
  };
  if (!planned.quantized) return add(planned.name, format.dtype, planned.shape, planned.offset);
  const auto [bits, group_size] = *format.groups;
  const std::string module = planned.name.substr(0, planned.name.rfind('.'));
  const Shape groups = {planned.shape[0], planned.shape[1] / group_size};
  add(planned.name, DType::uint32, {planned.shape[0], planned.shape[1] * bits / 32}, planned.offset);
  add(module + ".scales", format.dtype, groups, planned.scales_offset);
  add(module + ".biases", format.dtype, groups, planned.biases_offset);
}

}  // namespace xlstm::model
