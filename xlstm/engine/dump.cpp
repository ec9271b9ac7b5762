#include "xlstm/engine/dump.h"

#include <map>
#include <string>
#include <vector>

#include "xlstm/checkpoint/safetensors.h"

namespace xlstm::engine {
namespace {

TensorView float32_view(std::string name, Shape shape, const std::vector<float>& values) {
  TensorView view;
  view.name = std::move(name);
  view.shape = std::move(shape);
  view.data = reinterpret_cast<const std::byte*>(values.data());
  return view;
}

}  // namespace

void dump_logits_and_state(Engine& engine, std::span<const TokenId> tokens, const std::filesystem::path& path) {
  Session session = engine.new_session();
  const std::vector<float> logits = engine.all_logits(session, tokens);
  const std::vector<StateTensorValue> state = engine.state_tensors(session);

  const auto positions = static_cast<std::int64_t>(tokens.size());
  std::vector<TensorView> tensors{float32_view("logits", {positions, engine.model().config.vocab_size}, logits)};
  for (const StateTensorValue& tensor : state) {
    tensors.push_back(float32_view("state." + tensor.name, tensor.shape, tensor.values));
  }
  checkpoint::write_safetensors(path, tensors, {{"tokens", std::to_string(tokens.size())}});
}

}  // namespace xlstm::engine
