#include "xlstm/config/model_config.h"

#include <gtest/gtest.h>

#include <string>

#include "xlstm/base/error.h"

namespace xlstm::config {
namespace {

TEST(Activation, EveryKindHasANameThatReadsBack) {
  for (const Activation kind : {Activation::gelu, Activation::relu, Activation::relu_squared, Activation::silu,
                                Activation::selu, Activation::tanh, Activation::sigmoid, Activation::identity}) {
    EXPECT_EQ(activation_from_name(activation_name(kind)), kind) << activation_name(kind);
  }
}

TEST(Activation, SwishIsSilu) { EXPECT_EQ(activation_from_name("swish"), Activation::silu); }

TEST(Activation, EveryNameOfTheReferenceIsKnown) {
  for (const char* name : {"gelu", "relu", "relu^2", "sigmoid", "swish", "selu"}) {
    EXPECT_NO_THROW(activation_from_name(name)) << name;
  }
}

TEST(Activation, AnUnknownNameIsRefusedByName) {
  try {
    activation_from_name("mish");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_NE(std::string(error.what()).find("\"mish\""), std::string::npos) << error.what();
  }
}

TEST(ModelConfig, HeadWidthsAreZeroWithoutHeads) {
  const ModelConfig config;
  EXPECT_EQ(config.qk_head_dim(), 0);
  EXPECT_EQ(config.v_head_dim(), 0);
  EXPECT_EQ(config.slstm_head_dim(), 0);
}

}  // namespace
}  // namespace xlstm::config
