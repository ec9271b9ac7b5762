#include <algorithm>
#include <cstring>

#include "xlstm/base/huge_memory.h"
#include "xlstm/checkpoint/checkpoint.h"

namespace xlstm::checkpoint {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kPieceBytes = std::size_t{2} << 20;  // a thread's share at a time, and what is resident twice

/// What one thread copies at a time.
struct Piece {
  std::span<const std::byte> from;
  std::size_t to = 0;  // in the new memory
};

/// In the order of the files, so that a disk is read from front to back and neighbours stay neighbours.
std::vector<TensorView*> in_file_order(std::map<std::string, TensorView>& tensors) {
  std::vector<TensorView*> order;
  for (auto& [name, view] : tensors) order.push_back(&view);
  std::sort(order.begin(), order.end(), [](const TensorView* a, const TensorView* b) {
    return std::pair(a->file, a->data) < std::pair(b->file, b->data);
  });
  return order;
}

void add_pieces(const TensorView& view, std::size_t to, std::vector<Piece>& pieces) {
  const std::span bytes(view.data, view.nbytes());
  for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    pieces.push_back({bytes.subspan(at, std::min(kPieceBytes, bytes.size() - at)), to + at});
  }
}

}  // namespace

void copy_weights(Checkpoint& checkpoint, const FileSource& files, ThreadPool& pool, const AvailableMemory& available) {
  const std::vector<TensorView*> order = in_file_order(checkpoint.tensors);
  std::vector<Piece> pieces;
  std::vector<std::size_t> places;
  std::size_t total = 0;
  for (const TensorView* view : order) {
    add_pieces(*view, total, pieces);
    places.push_back(total);
    total += (view->nbytes() + kLine - 1) / kLine * kLine;
  }
  require_memory(total, checkpoint.source, "a copy of the weights", available);
  const std::shared_ptr<std::byte> memory = allocate_huge(total);
  pool.parallel_for(static_cast<std::int64_t>(pieces.size()), [&](std::int64_t i) {
    const Piece& piece = pieces[static_cast<std::size_t>(i)];
    std::memcpy(memory.get() + piece.to, piece.from.data(), piece.from.size());
    files.release(piece.from);
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i]->data = memory.get() + places[i];
    checkpoint.copied.insert(order[i]->name);
  }
  checkpoint.storage = {memory};
}

}  // namespace xlstm::checkpoint
