// What the next step of the engine does: which prompts read on, and which sequences decode. A pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace xlstm::scheduler {

/// What a plan has to know of a sequence.
struct SequenceView {
  std::int64_t priority = 0;  // the larger goes first
  std::uint64_t order = 0;    // of arrival; the earlier goes first among equals
  double service = 0;         // tokens it has had in its phase, more or less (Scheduler keeps it): the least goes first
  std::size_t position = 0;   // tokens that its state has read
  std::size_t prompt_left = 0;  // tokens of its prompt not yet read; 0: it decodes
  bool has_row = false;         // was decoded in the step before
  std::size_t slice_left = 0;   // tokens until another of its priority may take its row
};

/// A request that has no state yet.
struct WaitingView {
  std::int64_t priority = 0;
  std::uint64_t order = 0;  // the least goes first among equals
  std::size_t states = 1;   // that it will need
};

/// A request that decodes, and whose states could be swapped out.
struct RunningView {
  std::int64_t priority = 0;
  std::uint64_t order = 0;
  std::size_t states = 1;  // that it would free
  std::size_t turn = 0;    // tokens that it has decoded since it was given them
};

struct Limits {
  std::size_t max_rows = 1;        // sequences of a decode pass
  std::size_t prefill_tokens = 1;  // of a step, all prompts together
  std::size_t segment = 1;         // pieces of prompts end at multiples of it (Backend::prefill_segment)
};

/// A piece of the prompt of sequence `index`.
struct Piece {
  std::size_t index = 0;
  std::size_t tokens = 0;
  friend bool operator==(const Piece&, const Piece&) = default;
};

struct StepPlan {
  std::vector<Piece> prefill;       // in the order in which they run
  std::vector<std::size_t> decode;  // ascending
};

/// Prompts: by priority, then least service, then arrival, until prefill_tokens are given out. A piece ends at a
/// multiple of `segment` of the position or at the end of the prompt, so that cutting changes no bit; the first piece
/// of a step is at least what lies before the next such multiple, even if prefill_tokens is less. Rows: by priority,
/// then who holds a row and has some of its slice left, then least service, then arrival. Never empty when a sequence
/// could go on.
StepPlan plan_step(std::span<const SequenceView> sequences, const Limits& limits);

/// Who is given states now, by priority, then arrival. The first who needs more than are left ends it: nobody behind
/// him goes ahead, or he would wait for ever.
std::vector<std::size_t> plan_admission(std::span<const WaitingView> waiting, std::size_t free_states);

/// Who gives up his states for those who wait, ascending. For each of these, in the order of plan_admission, until one
/// cannot be helped: those of less priority, or of the same whose turn is of `turn` tokens or more; of them the least
/// priority first, then the longest turn, then the latest order. Nobody when free states do, or when all together
/// would not.
std::vector<std::size_t> plan_swap_out(std::span<const WaitingView> waiting, std::span<const RunningView> running,
                                       std::size_t free_states, std::size_t turn);

}  // namespace xlstm::scheduler
