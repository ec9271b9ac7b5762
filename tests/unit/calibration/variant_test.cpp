// A matrix quantised in memory has the bits it has in a file, in all its places, and leaves the rest alone.
#include "xlstm/calibration/variant.h"

#include <map>
#include <utility>

#include "tests/unit/quantize/files.h"
#include "xlstm/model/projections.h"
#include "xlstm/quantize/convert.h"
#include "xlstm/quantize/quantize.h"

namespace xlstm::testing {
namespace {

namespace fs = std::filesystem;

// The matrices of a network in the order of evaluation.
std::vector<model::Matrix> matrices_of(const model::Model& model) {
  std::vector<model::Matrix> all = {model.embedding};
  for (const model::Block& any : model.blocks) {
    const auto add = [&](const model::Linear& layer) { all.push_back(layer); };
    std::visit([&](const auto& block) { model::for_each_projection(block, add); }, any);
  }
  all.push_back(model.lm_head);
  return all;
}

std::string bytes_of(const model::Matrix& matrix) {
  std::string content = content_of(matrix.weight);
  if (matrix.groups) content += content_of(matrix.groups->scales) + content_of(matrix.groups->biases);
  return content;
}

class VariantTest : public ScratchTest {
 protected:
  void expect_the_bits_of_the_file(const fs::path& from, config::AffineFormat format) {
    quantize::QuantizeOptions options = {.output = fresh(), .format = format, .scales = quantize::Scales::mlx};
    const auto files = checkpoint::open_directory(from);
    quantize::quantize(*files, options);
    const auto file = load(options.output);
    const std::vector<model::Matrix> written = matrices_of(*file);
    const quantize::Source source = quantize::open_source(*files);
    const std::vector<model::Matrix> plain = matrices_of(*source.model);
    std::vector<int> replaced(plain.size(), 0);
    ThreadPool pool(2);
    for (const quantize::Rewrite& rewrite : quantize::plan_quantization(source, options).rewrites) {
      if (!rewrite.format) continue;
      const auto variant = calibration::with_quantized(*source.model, rewrite, pool);
      const std::vector<model::Matrix> found = matrices_of(*variant);
      for (std::size_t i = 0; i < found.size(); ++i) {
        const bool mine = plain[i].weight.name == rewrite.name;
        replaced[i] += mine;
        EXPECT_TRUE(bytes_of(found[i]) == bytes_of(mine ? written[i] : plain[i])) << rewrite.name << ' ' << i;
      }
    }
    for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(replaced[i], written[i].groups.has_value()) << i;
  }
};

TEST_F(VariantTest, HasTheBitsOfTheFile) {
  expect_the_bits_of_the_file(bard(), {4, 64});
  expect_the_bits_of_the_file(bytes_mixed(), {8, 32});
  expect_the_bits_of_the_file(good("research_wide_tied"), {4, 32});
}

TEST_F(VariantTest, RowsOfAFusedTensorGoToTheirPlaces) {
  const fs::path floats = fresh();  // the corpus has wide fused layers quantised only
  quantize::convert(*checkpoint::open_directory(good("wide_int4_fused")), {floats, DType::float32});
  expect_the_bits_of_the_file(floats, {4, 32});
}

TEST_F(VariantTest, WhatIsNoNumberIsAnErrorOfTheCaller) {
  const auto files = checkpoint::open_directory(good("wide"));
  const quantize::Source source = quantize::open_source(*files);
  std::vector<float> bad = values(source.checkpoint.tensors.at("lm_head.weight"));
  bad[70] = NAN;
  TensorView tensor = source.checkpoint.tensors.at("lm_head.weight");
  tensor.data = reinterpret_cast<const std::byte*>(bad.data());
  tensor.dtype = DType::float32;
  ThreadPool pool(2);
  expect_error(ErrorCode::corrupt_file, {"NaN"}, [&] {
    calibration::with_quantized(*source.model, {tensor.name, {tensor, std::nullopt}, DType::bfloat16, {{4, 32}}}, pool);
  });
}

}  // namespace
}  // namespace xlstm::testing
