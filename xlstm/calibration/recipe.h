// Which matrices get 8 bits when 4 are too few for all: those whose 4 bits are measured to do the most damage.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/quantize/quantize.h"

namespace xlstm::calibration {

/// A matrix that may have 4 or 8 bits.
struct Candidate {
  std::string module;
  double damage = 0;             // of 4 bits: mean KL(float || this one matrix quantised) over a text, nats a token
  std::size_t narrow_bytes = 0;  // in 4 bits, with scales and biases
  std::size_t wide_bytes = 0;    // in 8 bits
};

/// The modules that get 8 bits when they may take `room` bytes more than with 4 bits each: most damage a byte first,
/// and what does not fit any more is passed over. Of equal ones the first by name. Damages add up nearly, and 8 bits do
/// hundreds of times less, which counts as none.
std::set<std::string> choose_wide(std::vector<Candidate> candidates, std::size_t room);

struct Recipe {
  std::map<std::string, config::AffineFormat> modules;  // those of 8 bits: QuantizeOptions::modules
  std::vector<Candidate> candidates;                    // as measured, most damage first
};

/// Measures every matrix that `options` would quantise (options.format: 4 bits), one pass over `tokens` each, with
/// float32 activations, and chooses so that the tensors of the result take at most target_bits a parameter: all of
/// them, with scales, biases and what is not quantised (8 * QuantizeReport::bytes / parameters). The same on every run
/// on one CPU target. Memory: the logits of `tokens`, and one quantised matrix. Errors: those of open_source and
/// plan_quantization, invalid_argument (fewer bits than 4 bits for all take, no tokens or ids outside the vocabulary),
/// overloaded (the logits do not fit in memory), cancelled.
Recipe find_recipe(const checkpoint::FileSource& files, const quantize::QuantizeOptions& options, double target_bits,
                   std::span<const TokenId> tokens, const quantize::Callbacks& callbacks = {});

}  // namespace xlstm::calibration
