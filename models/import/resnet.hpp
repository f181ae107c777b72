#pragma once

#include <filesystem>

#include <temper/models/import/import_map.hpp>
#include <temper/models/resnet/resnet.hpp>

namespace temper::models {

/// What torchvision calls the tensors of a residual network: as we do; its counters of batches are ignored.
ImportMap torchvision_map(const ResNet& model);

/// Reads a residual network as torchvision names it (the safetensors file of a state_dict), all or nothing.
/// For other classes, all but the last layer: load_torchvision(file, model, {.skip = {"fc.*"}, .allow_missing =
/// {"fc.*"}}).
/// Throws: FileError when the file is damaged, or does not fit the model; then it lists every tensor that does not.
void load_torchvision(const std::filesystem::path& path, ResNet& model, const MatchOptions& options = {});

}  // namespace temper::models
