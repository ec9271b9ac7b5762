// The numbers of a synthetic network: where each tensor lies in one region of memory, and what is put there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/synthetic.h"

namespace xlstm::model {

enum class Fill { uniform, ones, igate_bias, fgate_bias };

struct PlannedTensor {
  std::string name;
  Shape shape;
  Fill fill;
  bool quantized = false;
  std::size_t offset = 0;                            // bytes from the start of the region
  std::size_t scales_offset = 0, biases_offset = 0;  // when quantised
};

/// Every tensor of the network, in the order of evaluation, and the memory they take together.
class SyntheticPlan {
 public:
  SyntheticPlan(const SyntheticShape& shape, const SyntheticFormat& format);

  const std::vector<PlannedTensor>& tensors() const { return tensors_; }
  std::size_t nbytes() const { return nbytes_; }

 private:
  std::size_t take(std::int64_t bytes);
  void add(std::string name, Shape shape, Fill fill);
  void matrix(const std::string& module, std::int64_t out, std::int64_t in);
  void add_block(const SyntheticShape& shape, const std::string& prefix);

  SyntheticFormat format_;
  std::vector<PlannedTensor> tensors_;
  std::size_t nbytes_ = 0;
};

/// Fills `region`, plan.nbytes() zeroed bytes, on all cores; quantised matrices straight from the numbers that they
/// stand for, a few of them at a time.
void fill_weights(const SyntheticPlan& plan, const SyntheticFormat& format, std::uint64_t seed, std::byte* region);

/// Adds what a checkpoint would hold of a tensor: itself, or words, scales and biases.
void add_tensors(const PlannedTensor& planned, const SyntheticFormat& format, const std::byte* region,
                 checkpoint::Checkpoint& checkpoint);

}  // namespace xlstm::model
