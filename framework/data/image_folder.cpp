#include <temper/data/image_folder.hpp>

#include <algorithm>
#include <cctype>

#include <temper/data/image_file.hpp>
#include <temper/data/transforms.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::data {

namespace fs = std::filesystem;

namespace {

bool is_image(const fs::path& path) {
  std::string extension = path.extension().native();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    entries.push_back(entry->path());
  }
  if (error)
    fail<FileError>("{}: cannot list the folder: {}", temper::detail::printable(folder.native()), error.message());
  std::ranges::sort(entries);
  return entries;
}

}  // namespace

struct ImageFolder::Files {
  ImageFolderOptions options;
  std::vector<std::string> class_names;
  std::vector<fs::path> paths;
  std::vector<std::int64_t> labels;

  std::size_t checked(std::int64_t i) const {
    if (i < 0 || i >= static_cast<std::int64_t>(paths.size()))
      fail<ValueError>("images: image {} of {}", i, paths.size());
    return static_cast<std::size_t>(i);
  }
};

ImageFolder::ImageFolder(const fs::path& root, const ImageFolderOptions& options) {
  if (options.height < 0 || options.width < 0 || (options.height == 0) != (options.width == 0)) {
    fail<ValueError>("images: resize to {} x {}, expected both or none", options.height, options.width);
  }
  if (options.channels != 1 && options.channels != 3) {
    fail<ValueError>("images: {} channels, expected 1 (gray) or 3", options.channels);
  }
  auto files = std::make_shared<Files>();
  files->options = options;
  for (const fs::path& folder : sorted_entries(root)) {
    if (!fs::is_directory(folder)) continue;
    const std::size_t before = files->paths.size();
    for (const fs::path& path : sorted_entries(folder)) {
      if (!is_image(path)) continue;
      files->paths.push_back(path);
      files->labels.push_back(static_cast<std::int64_t>(files->class_names.size()));
    }
    if (files->paths.size() == before) {
      fail<FileError>("{}: no PNG or JPEG images in the folder of a class", temper::detail::printable(folder.native()));
    }
    files->class_names.push_back(folder.filename().native());
  }
  if (files->class_names.empty()) {
    fail<FileError>("{}: no folders, expected one for each class", temper::detail::printable(root.native()));
  }
  files_ = std::move(files);
}

std::int64_t ImageFolder::size() const { return static_cast<std::int64_t>(files_->paths.size()); }
const std::vector<std::string>& ImageFolder::class_names() const { return files_->class_names; }
const fs::path& ImageFolder::path(std::int64_t i) const { return files_->paths[files_->checked(i)]; }
std::int64_t ImageFolder::label(std::int64_t i) const { return files_->labels[files_->checked(i)]; }

std::array<Tensor, 2> ImageFolder::get(std::int64_t i) const {
  Tensor image = read_image(path(i), {.channels = files_->options.channels});
  if (files_->options.height > 0) {
    Draw none({}, i);
    image = Resize{files_->options.height, files_->options.width}(image, none);
  }
  Tensor label = empty({}, Dtype::i64);
  *label.mutable_data<std::int64_t>() = files_->labels[static_cast<std::size_t>(i)];
  return {std::move(image), std::move(label)};
}

}  // namespace temper::data
