#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <temper/data/dataset.hpp>

namespace temper::data {

struct ImageFolderOptions {
  std::int64_t height = 0,
               width = 0;     ///< resized to this (bilinear); 0: as they are, which must be one size in a batch
  std::int64_t channels = 3;  ///< 3: red, green, blue; 1: gray
  /// Leave out images in formats that are not read (WebP, GIF, BMP, TIFF, HEIC, AVIF); by default they are an error.
  bool skip_other_formats = false;
};

/// PNG and JPEG images sorted into one folder for each class: ROOT/CLASS/NAME.png, or deeper in it. Example i is {image
/// f32 [H, W, C] from 0 to 1, label i64 []}. Classes are numbered by name, files come in the order of their paths; each
/// is read when it is asked for. What begins with a dot, `__MACOSX` and files that are no images are left out.
/// Normalize is a transform. Copies share the list of files.
class ImageFolder {
 public:
  /// Throws: FileError when a folder is missing or cannot be listed, a class has no images, or images are of other
  /// formats; ValueError for options outside their range.
  explicit ImageFolder(const std::filesystem::path& root, const ImageFolderOptions& options = {});

  std::int64_t size() const;
  /// Throws: FileError, as read_image; ValueError for an example that is not there.
  std::array<Tensor, 2> get(std::int64_t i) const;

  const std::vector<std::string>& class_names() const;
  const std::filesystem::path& path(std::int64_t i) const;
  std::int64_t label(std::int64_t i) const;

 private:
  struct Files;
  std::shared_ptr<const Files> files_;
};

}  // namespace temper::data
