#include <temper/models/import/resnet.hpp>

namespace temper::models {

ImportMap torchvision_map(const ResNet& model) {
  ImportMap map{.ignored = [](std::string_view name) { return name.ends_with(".num_batches_tracked"); }};
  for (const auto& [name, tensor] : state_dict(model)) map.rules.push_back({.ours = name, .theirs = {name}});
  return map;
}

void load_torchvision(const std::filesystem::path& path, ResNet& model, const MatchOptions& options) {
  import_model(path, model, torchvision_map(model), options);
}

}  // namespace temper::models
