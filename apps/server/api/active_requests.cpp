#include "apps/server/api/active_requests.h"

#include <utility>

namespace xlstm::server::api {

std::shared_ptr<ActiveRequest> ActiveRequests::add(std::string request_id, std::string path) {
  auto made = std::make_shared<ActiveRequest>();
  made->request_id = std::move(request_id);
  made->path = std::move(path);
  const std::lock_guard lock(mutex_);
  std::erase_if(requests_, [](const auto& weak) { return weak.expired(); });
  requests_.push_back(made);
  return made;
}

std::vector<std::shared_ptr<const ActiveRequest>> ActiveRequests::list() const {
  std::vector<std::shared_ptr<const ActiveRequest>> found;
  const std::lock_guard lock(mutex_);
  for (const auto& weak : requests_) {
    if (auto request = weak.lock()) found.push_back(std::move(request));
  }
  return found;
}

}  // namespace xlstm::server::api
