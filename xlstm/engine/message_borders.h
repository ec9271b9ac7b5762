// Where the messages of a conversation end in the ids that its chat template makes of them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "xlstm/engine/engine.h"

namespace xlstm::engine {

/// Of more messages only the first one and the last ones count: each snapshot is a state, and each one a rendering.
inline constexpr std::size_t kMostMessageBorders = 16;

/// Lengths of beginnings of `ids`, ascending, for Submission::snapshots_at: there the ids of the first k messages end
/// (rendered as they are, without a generation prompt), so that another conversation with these messages finds the
/// state. REQUIRES: ids are those of chat.render(request) with BOS. A k whose text is no beginning of the whole, in
/// tokens, gives none: the template tells a message in another way when more follow (it trims the last one, or drops
/// earlier thoughts), refuses such a conversation, or a token reaches over the border. Errors: none of the template's.
std::vector<std::size_t> message_borders(const Engine& engine, const text::ChatTemplate& chat,
                                         const text::ChatRequest& request, std::span<const TokenId> ids);

}  // namespace xlstm::engine
