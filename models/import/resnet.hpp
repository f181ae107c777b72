#pragma once

#include <filesystem>

#include <temper/models/import/import_map.hpp>
#include <temper/models/resnet/resnet.hpp>

namespace temper::models {

/// torchvision's names for the tensors of a residual network, which ResNet shares. "num_batches_tracked" is ignored.
ImportMap torchvision_map(const ResNet& model);

/// Loads a safetensors file of a torchvision ResNet's state_dict into a model, all or nothing. To load all but the last
/// layer, for other classes: load_torchvision(file, model, {.skip = {"fc.*"}, .allow_missing =
/// {"fc.*"}}).
/// Throws: FileError when the file is damaged, or does not fit the model; then it lists every tensor that does not.
void load_torchvision(const std::filesystem::path& path, ResNet& model, const MatchOptions& options = {});

}  // namespace temper::models
