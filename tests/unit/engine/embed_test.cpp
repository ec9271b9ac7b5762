#include "xlstm/engine/embed.h"

#include <gtest/gtest.h>

#include <cmath>

#include "xlstm/base/dtype.h"
#include "xlstm/base/error.h"

namespace xlstm::engine {
namespace {

class EmbedTest : public testing::Test {
 protected:
  static LoadOptions options() {
    LoadOptions options;
    options.num_threads = 1;
    return options;
  }
  std::vector<TokenId> ids(std::size_t count) const {
    std::string text;
    while (text.size() < 6 * count) text += "To be, or not to be: that is the question. ";
    std::vector<TokenId> found = engine_->encode(text, true);
    found.resize(count);
    return found;
  }
  static void expect_near(const std::vector<float>& a, const std::vector<double>& b, double bound) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], bound) << i;
  }

  std::unique_ptr<Engine> engine_ = Engine::load(options());
};

TEST_F(EmbedTest, TheHeadTimesTheLastHiddenStateGivesTheLogits) {
  const model::Linear& head = engine_->model().lm_head;
  ASSERT_EQ(head.weight.dtype, DType::bfloat16) << "another way to read its rows";
  const std::size_t dim = static_cast<std::size_t>(engine_->model().config.embedding_dim);
  for (const std::size_t length : {1u, 5u, 300u}) {
    const std::vector<float> hidden = embed(*engine_, ids(length), {Pooling::last, false});
    ASSERT_EQ(hidden.size(), dim);
    Session session = engine_->new_session();
    const std::vector<float> logits = engine_->prefill(session, ids(length));
    const auto* rows = reinterpret_cast<const std::byte*>(head.weight.data);
    std::vector<float> row(dim);
    for (std::size_t v = 0; v < logits.size(); v += 7) {
      widen_to_float32(head.weight.dtype, rows + v * dim * 2, dim, row.data());
      double sum = 0;
      for (std::size_t i = 0; i < dim; ++i) sum += double(row[i]) * double(hidden[i]);
      if (const auto cap = engine_->model().config.output_logit_soft_cap) sum = *cap * std::tanh(sum / *cap);
      EXPECT_NEAR(sum, logits[v], 2e-4 * std::max(1.0, std::abs(sum))) << length << ' ' << v;
    }
  }
}

TEST_F(EmbedTest, TheMeanIsThatOfEveryBeginning) {
  const std::vector<TokenId> all = ids(12);
  std::vector<double> mean(static_cast<std::size_t>(engine_->model().config.embedding_dim));
  for (std::size_t length = 1; length <= all.size(); ++length) {
    const std::vector<float> last = embed(*engine_, std::span(all).first(length), {Pooling::last, false});
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += double(last[i]) / 12;
  }
  expect_near(embed(*engine_, all, {Pooling::mean, false}), mean, 2e-4);
}

TEST_F(EmbedTest, NormalisedHasLengthOneAndTheSameDirection) {
  for (const Pooling pooling : {Pooling::mean, Pooling::last}) {
    const std::vector<float> plain = embed(*engine_, ids(20), {pooling, false});
    const std::vector<float> unit = embed(*engine_, ids(20), {pooling, true});
    double length = 0, squares = 0;
    for (const float value : plain) length += double(value) * double(value);
    std::vector<double> expected;
    for (const float value : plain) expected.push_back(double(value) / std::sqrt(length));
    for (const float value : unit) squares += double(value) * double(value);
    EXPECT_NEAR(squares, 1, 1e-5);
    expect_near(unit, expected, 1e-6);
  }
}

TEST_F(EmbedTest, BesideOthersInAServiceHasTheSameBits) {
  const auto service = Service::start([] { return Engine::load(options()); }, {});
  Submission beside;
  beside.request.prompt = ids(600);
  beside.request.max_tokens = 30;
  std::future<Outcome> other = service->run(beside);
  std::vector<std::future<std::vector<float>>> found;
  const std::vector<std::size_t> lengths = {1, 255, 256, 257, 700};
  for (const std::size_t length : lengths) found.push_back(embed(*service, ids(length), {}));
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    EXPECT_EQ(found[i].get(), embed(*engine_, ids(lengths[i]), {})) << lengths[i];
  }
  EXPECT_EQ(other.get().samples.at(0).result.ids.size(), 30u);
}

TEST_F(EmbedTest, RefusesNoTokenAndUnknownIds) {
  EXPECT_THROW(embed(*engine_, std::vector<TokenId>{}, {}), Error);
  EXPECT_THROW(embed(*engine_, std::vector<TokenId>{1, 1 << 30}, {}), Error);
  const auto service = Service::start([] { return Engine::load(options()); }, {});
  EXPECT_THROW(embed(*service, {}, {}).get(), Error);
  EXPECT_EQ(embed(*service, ids(3), {}).get(), embed(*engine_, ids(3), {}));
}

}  // namespace
}  // namespace xlstm::engine
