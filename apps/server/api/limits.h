// How much one request may ask for. What goes beyond is refused by name: 413 for sizes in bytes, 422 for counts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xlstm::server::api {

struct Limits {
  std::size_t json_depth = 64;          // arrays and objects within each other
  std::size_t json_values = 1'000'000;  // of a body, members included
  std::int64_t max_tokens = 65'536;     // generated, of one choice
  std::size_t prompt_tokens = 1 << 20;  // of one prompt or text
  std::size_t prompts = 64;             // of one completion
  std::size_t embeddings = 2048;        // texts of one request
  std::int64_t choices = 16;            // n and best_of, times prompts
  std::size_t stop_strings = 16;
  std::size_t stop_bytes = 1024;     // of one stop string
  std::size_t logit_biases = 1024;   // ids
  std::int64_t top_logprobs = 20;    // of each token
  std::size_t messages = 2048;       // of a conversation
  std::size_t tools = 128;           // offered
  std::size_t schema_bytes = 65536;  // of a JSON schema, grammar or regular expression; of all tools together
  std::size_t template_bytes = std::size_t{16} << 20;  // that a chat template may write
  std::size_t pending_bytes = std::size_t{1} << 20;  // of a stream that the client does not take; then it is cancelled
};

}  // namespace xlstm::server::api
