#include "xlstm/state/zstd_file.h"

#include <zstd.h>

#include <cstdint>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/available_memory.h"
#include "xlstm/checkpoint/refuse.h"

namespace xlstm::state {

using checkpoint::refuse;
using checkpoint::refuse_corrupt;

struct ZstdFile::Stream {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::vector<std::byte> out = std::vector<std::byte>(ZSTD_CStreamOutSize());
};

ZstdFile::ZstdFile(const std::filesystem::path& path, int level, std::size_t content_bytes)
    : where_(path.string()), file_(path), stream_(std::make_unique<Stream>()) {
  XLSTM_CHECK(stream_->context != nullptr);
  ZSTD_CCtx* context = stream_->context.get();
  for (const auto& [parameter, value] :
       {std::pair(ZSTD_c_compressionLevel, level), std::pair(ZSTD_c_checksumFlag, 1)}) {
    XLSTM_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)));
  }
  XLSTM_CHECK(!ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, content_bytes)));
}

ZstdFile::~ZstdFile() = default;

void ZstdFile::write(std::span<const std::byte> bytes) { compress(bytes, /*last=*/false); }

void ZstdFile::commit() {
  compress({}, /*last=*/true);
  file_.commit();
}

void ZstdFile::compress(std::span<const std::byte> bytes, bool last) {
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::size_t left = 0;
  do {
    ZSTD_outBuffer out{stream_->out.data(), stream_->out.size(), 0};
    left = ZSTD_compressStream2(stream_->context.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) {
      refuse(ErrorCode::internal, where_, "expected to compress but got: ", ZSTD_getErrorName(left));
    }
    file_.write(std::span(stream_->out).first(out.pos));
  } while (last ? left != 0 : in.pos < in.size);
}

bool is_zstd(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < 4) return false;
  std::uint32_t magic = 0;
  for (std::size_t i = 4; i-- > 0;) magic = magic << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return magic == ZSTD_MAGICNUMBER;
}

checkpoint::Bytes unzstd(std::span<const std::byte> bytes, const std::string& file, std::size_t most_bytes) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR) refuse_corrupt(file, "expected a zstd frame but got a damaged one");
  if (size == ZSTD_CONTENTSIZE_UNKNOWN) refuse_corrupt(file, "expected a zstd frame with its size but got one without");
  if (size > most_bytes) refuse_corrupt(file, "expected at most ", most_bytes, " bytes in the frame but got ", size);
  const std::size_t frame = ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
  if (ZSTD_isError(frame)) refuse_corrupt(file, "expected a whole zstd frame but got: ", ZSTD_getErrorName(frame));
  if (frame != bytes.size()) {
    refuse_corrupt(file, "overlong file: expected one zstd frame of ", frame, " bytes but got ", bytes.size());
  }
  const auto count = static_cast<std::size_t>(size);
  checkpoint::require_memory(count, file, "its content", [] { return checkpoint::available_memory_bytes(); });
  const auto content = std::make_shared_for_overwrite<std::byte[]>(count);
  const std::size_t got = ZSTD_decompress(content.get(), count, bytes.data(), bytes.size());
  if (ZSTD_isError(got)) refuse_corrupt(file, "expected to decompress but got: ", ZSTD_getErrorName(got));
  if (got != count) refuse_corrupt(file, "expected ", count, " bytes in the frame but got ", got);
  return {{content.get(), count}, content};
}

}  // namespace xlstm::state
