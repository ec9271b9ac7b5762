// Hands out a checkpoint's tensors by name, each checked when it is taken, and knows at the end which ones nobody
// wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/model.h"

namespace xlstm::model {

/// In an expected shape: any dimension of at least 1.
inline constexpr std::int64_t kAnySize = 0;

/// Every getter throws corrupt_file, one line naming file, tensor, expected and found, when the tensor is missing, has
/// another shape, or a type that weights cannot have. Vectors and small tensors are widened to float32, matrices are
/// used where they lie.
class TensorBinder {
 public:
  explicit TensorBinder(const checkpoint::Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  bool has(const std::string& name) const { return checkpoint_.tensors.contains(name); }
  const TensorView& take(const std::string& name, const Shape& expected);
  FloatArray floats(const std::string& name, const Shape& expected) { return widen(take(name, expected)); }
  /// A copy in memory of its own, to be changed.
  std::vector<float> copy(const std::string& name, const Shape& expected);
  /// "<prefix>.weight" [out, in]: quantised if and only if there is a "<prefix>.scales" (mlx-lm's rule), and then in
  /// the format that the config gives the module.
  Matrix matrix(const std::string& prefix, std::int64_t out, std::int64_t in);
  /// The same and, with_bias, "<prefix>.bias" [out].
  Linear linear(const std::string& prefix, std::int64_t out, std::int64_t in, bool with_bias);
  /// Gates: never quantised, with a bias.
  Linear gate(const std::string& prefix, std::int64_t out, std::int64_t in);
  /// "<prefix>.weight" [size] and, with_bias, "<prefix>.bias" [size].
  Norm norm(const std::string& prefix, std::int64_t size, bool with_bias);
  /// float32 values of a tensor or of a part of one.
  FloatArray widen(const TensorView& view);

  /// Throws corrupt_file when the file's size is not among those that the config allows; no hints allow every size.
  void check_width(const TensorView& tensor, std::int64_t found, const std::vector<std::int64_t>& hints,
                   std::string_view key) const;
  /// Throws corrupt_file unless divisor divides size.
  void check_divides(const TensorView& tensor, std::int64_t size, std::int64_t divisor,
                     std::string_view divisor_name) const;

  /// Throws corrupt_file for the first tensor that was never taken.
  void finish() const;
  /// Bytes of the tensors used where they lie in their file.
  std::size_t mapped_bytes() const;
  /// Bytes of the float32 values that were made of tensors and are used in their place.
  std::size_t repacked_bytes() const noexcept { return repacked_bytes_; }
  /// Modules that were taken as quantised, and how.
  const std::map<std::string, config::AffineFormat>& quantized() const { return quantized_; }

 private:
  const TensorView& find(const std::string& name, const Shape& expected) const;
  const TensorView& take_words(const std::string& name, std::int64_t out, std::int64_t in, config::AffineFormat format);
  void count_repacked(const std::string& name, std::size_t bytes);
  config::AffineFormat format_of(const std::string& module) const;

  const checkpoint::Checkpoint& checkpoint_;
  std::set<std::string> taken_;
  std::set<std::string> repacked_;
  std::size_t repacked_bytes_ = 0;
  std::map<std::string, config::AffineFormat> quantized_;
};

/// Throws corrupt_file unless the tensor has the expected shape.
void check_shape(const TensorView& tensor, const Shape& expected);

/// Rows [begin, begin + count) of a matrix, or elements of a vector, as a view.
TensorView slice_rows(const TensorView& tensor, std::int64_t begin, std::int64_t count);
Matrix slice_rows(const Matrix& matrix, std::int64_t begin, std::int64_t count);

}  // namespace xlstm::model
