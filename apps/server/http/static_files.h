// The web page: files that are part of the program, never the file system's.
#pragma once

#include <span>
#include <string_view>

#include "apps/server/http/router.h"

namespace xlstm::server {

struct StaticFile {
  std::string_view name;  // "index.html"
  std::string_view content_type;
  std::string_view etag;  // with its quotes
  std::string_view body;
};

/// Those of apps/server/web, as they were when the program was built; none if there is no such folder.
std::span<const StaticFile> web_files();

/// "GET /NAME" for each, and "GET /" for index.html; open routes, with a strict Content-Security-Policy: nothing from
/// another address, no inline script, no frame around it. A client that has a file already (If-None-Match) gets 304.
void add_static_files(Router& router, std::span<const StaticFile> files);

}  // namespace xlstm::server
