#include <temper/data/image_folder.hpp>

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <iterator>
#include <string_view>

#include <temper/data/image_file.hpp>
#include <temper/data/transforms.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::data {

namespace fs = std::filesystem;

namespace {

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().native();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension;
}

bool is_one_of(const std::string& extension, std::initializer_list<std::string_view> known) {
  return std::ranges::find(known, extension) != known.end();
}

/// What programs keep beside pictures and nobody takes for a class.
bool is_hidden(const fs::path& path) {
  const std::string name = path.filename().native();
  return name.starts_with('.') || name == "__MACOSX";
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error && status.type() != fs::file_type::not_found) {
    fail<FileError>("{}: cannot be looked at: {}", temper::detail::printable(path.native()), error.message());
  }
  return fs::is_directory(status);
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!is_hidden(entry->path())) entries.push_back(entry->path());
  }
  if (error)
    fail<FileError>("{}: cannot list the folder: {}", temper::detail::printable(folder.native()), error.message());
  std::ranges::sort(entries);
  return entries;
}

/// The images in a folder and those below it, and those in formats that are not read.
struct Images {
  std::vector<fs::path> paths, others;

  void add_folder(const fs::path& folder, int depth) {
    constexpr int deepest = 32;
    if (depth > deepest) {
      fail<FileError>("{}: more than {} folders deep; a link to a folder around it?",
                      temper::detail::printable(folder.native()), deepest);
    }
    for (const fs::path& path : sorted_entries(folder)) {
      const std::string extension = lower_extension(path);
      if (is_folder(path)) {
        add_folder(path, depth + 1);
      } else if (is_one_of(extension, {".png", ".jpg", ".jpeg"})) {
        paths.push_back(path);
      } else if (is_one_of(extension, {".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2",
                                       ".jxl", ".ppm", ".pgm"})) {
        others.push_back(path);
      }
    }
  }
};

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
  std::vector<fs::path> others;
  for (const fs::path& folder : sorted_entries(root)) {
    if (!is_folder(folder)) continue;
    Images images;
    images.add_folder(folder, 1);
    if (images.paths.empty() && (images.others.empty() || options.skip_other_formats)) {
      fail<FileError>("{}: no PNG or JPEG images in the folder of a class", temper::detail::printable(folder.native()));
    }
    files->labels.resize(files->labels.size() + images.paths.size(),
                         static_cast<std::int64_t>(files->class_names.size()));
    std::ranges::move(images.paths, std::back_inserter(files->paths));
    std::ranges::move(images.others, std::back_inserter(others));
    files->class_names.push_back(folder.filename().native());
  }
  if (!others.empty() && !options.skip_other_formats) {
    fail<FileError>("{}: {} images are neither PNG nor JPEG, the first is {}; convert them, or set .skip_other_formats",
                    temper::detail::printable(root.native()), others.size(),
                    temper::detail::printable(others.front().lexically_relative(root).native()));
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
