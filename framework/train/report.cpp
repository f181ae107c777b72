#include <temper/train/report.hpp>

#include <algorithm>
#include <span>

#include <temper/train/info.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/train/report_internal.hpp"

namespace temper {

namespace {

namespace fs = std::filesystem;

/// The last component of the folder's path, also for "runs/cnn/" and ".".
std::string own_name(const fs::path& folder) {
  fs::path path = fs::absolute(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().native();
}

/// The folders' own names; where two have the same, the folders as they were given.
std::vector<std::string> names_of(const std::vector<std::string>& folders) {
  std::vector<std::string> own;
  for (const std::string& folder : folders) own.push_back(own_name(folder));
  std::vector<std::string> names = own;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (std::ranges::count(own, own[i]) > 1) names[i] = folders[i];
  }
  return names;
}

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    if (c == '<') {
      html += "&lt;";
    } else if (c == '&') {
      html += "&amp;";
    } else {
      html += c;
    }
  }
  return html;
}

void replace(std::string& page, std::string_view mark, std::string_view text) {
  page.replace(page.find(mark), mark.size(), text);
}

}  // namespace

void write_report(const std::vector<std::string>& folders, const std::string& file) {
  detail::write_titled_report(folders, file, {}, {});
}

void detail::write_titled_report(const std::vector<std::string>& folders, const std::string& file,
                                 const std::string& heading, const std::string& text) {
  if (folders.empty()) fail<ValueError>("write_report: no folder given, expected one or more that runs left");
  const std::vector<std::string> names = names_of(folders);
  std::string data = fmt::format("{{\"version\":\"{}\",\"title\":{},\"text\":{},\"runs\":[", version(),
                                 detail::script_json(heading), detail::script_json(text));
  std::string title;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    data += (i > 0 ? ",\n" : "\n") + detail::run_json(folders[i], names[i]);
    title += (i > 0 ? ", " : "") + names[i];
  }
  data += "\n]}";
  if (!heading.empty()) title = heading;

  std::string page(detail::report_page());
  replace(page, "REPORT_DATA", data);  // before the title, which could contain the word itself
  replace(page, "REPORT_TITLE", escaped(title));
  detail::AtomicFile out{fs::path(file)};
  out.write(std::as_bytes(std::span(page)));
  out.commit();
}

}  // namespace temper
