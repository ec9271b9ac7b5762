// Tokenizer and chat template of an engine.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <nlohmann/json.hpp>

#include "python/src/arguments.h"
#include "python/src/engine.h"
#include "xlstm/base/error.h"

namespace xlstm::python {
namespace {

using Json = nlohmann::ordered_json;

std::vector<TokenId> encode(const Host& host, nb::handle text, bool bos) {
  const std::string utf8 = read_text("text", text);
  const auto service = host.service();
  const nb::gil_scoped_release unlocked;
  return bos ? service->engine().encode(utf8, /*with_bos=*/true) : service->tokenizer().encode(utf8);
}

nb::str decode(const Host& host, nb::handle ids) {
  const std::string text = host.service()->tokenizer().decode(read_ids("ids", ids));
  return nb::str(text.c_str(), text.size());
}

nb::bytes token_bytes(const Host& host, nb::handle id) {
  const auto service = host.service();
  const std::string_view found = service->tokenizer().token_bytes(read_id("id", id));
  return nb::bytes(found.data(), found.size());
}

/// request: the JSON object of a text::ChatRequest; xlstm_cpp/engine.py writes it.
nb::str render(const Host& host, const std::string& request) {
  const auto service = host.service();
  const text::ChatTemplate* const chat = service->engine().chat_template();
  if (chat == nullptr) {
    fail(ErrorCode::unsupported, "chat template", "expected a model with a chat template, or chat_template=..., but ",
         service->engine().source(), " has none");
  }
  const Json fields = Json::parse(request);
  text::ChatRequest made{fields["messages"],
                         fields["tools"],
                         fields["documents"],
                         fields["add_generation_prompt"].get<bool>(),
                         fields["continue_final_message"].get<std::string>(),
                         fields["variables"],
                         fields["template_name"].get<std::string>()};
  std::string text;
  {
    const nb::gil_scoped_release unlocked;
    text = chat->render(made);
  }
  return nb::str(text.c_str(), text.size());
}

}  // namespace

void bind_text(EngineClass& engine) {
  engine
      .def("encode", encode, nb::arg("text"), nb::arg("bos"),
           nb::sig("def encode(self, text: str, bos: bool) -> list[int]"),
           "Ids of a text; bos: begin with the BOS if the model wants one.")
      .def("decode", decode, nb::arg("ids"), nb::sig("def decode(self, ids: collections.abc.Sequence[int]) -> str"),
           "Text of ids, special tokens kept; ill-formed UTF-8 becomes U+FFFD.")
      .def("token_bytes", token_bytes, nb::arg("id"), nb::sig("def token_bytes(self, id: int) -> bytes"),
           "Bytes that one id stands for.")
      .def(
          "find_token",
          [](const Host& host, nb::handle text) { return host.service()->tokenizer().find(read_text("text", text)); },
          nb::arg("text"), nb::sig("def find_token(self, text: str) -> int | None"),
          "The id that stands for exactly this text.")
      .def(
          "tokenizer_size", [](const Host& host) { return host.service()->tokenizer().vocab_size(); },
          "Number of ids, added tokens included.")
      .def(
          "tokenizer_kind", [](const Host& host) { return std::string(host.service()->tokenizer().kind()); },
          "\"byte-level BPE\" or \"bytes\".")
      .def(
          "tokenizer_hash", [](const Host& host) { return host.service()->tokenizer().fingerprint(); },
          "Identity of vocabulary and rules: 32 hex digits.")
      .def(
          "bos_id", [](const Host& host) { return host.service()->model().config.bos_token_id; },
          "The id that a text begins with, if the model has one.")
      .def(
          "eos_ids", [](const Host& host) { return host.service()->engine().stop_ids(); },
          "Ids that end a text by default.")
      .def(
          "has_chat_template", [](const Host& host) { return host.service()->engine().chat_template() != nullptr; },
          "Whether the model has a chat template.")
      .def("render", render, nb::arg("request"), "The text of a conversation by the model's chat template.");
}

}  // namespace xlstm::python
