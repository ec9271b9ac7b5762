// POST /v1/embeddings.
#pragma once

#include <memory>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

/// input as the prompt of a completion; encoding_format (float, base64 of little-endian float32), dimensions (only the
/// model's own), pooling (mean, last) and normalize (true, as OpenAI's vectors are). Texts are read one after another,
/// a prefill segment between two steps of other requests.
void embeddings(Context& context, const std::shared_ptr<Exchange>& exchange);

}  // namespace xlstm::server::api
