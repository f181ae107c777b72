#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <temper/train/info.hpp>
#include <temper/train/print.hpp>
#include <temper/train/report.hpp>

int main(int argc, char** argv) {
  std::vector<std::string> folders;
  std::string file;
  CLI::App app{"Writes one HTML page about a training run, or about several beside each other."};
  app.set_version_flag("--version", temper::info, "Print the versions of Temper and oneDNN and exit");
  app.add_option("FOLDER", folders, "folders that runs left, such as runs/cnn")->required();
  app.add_option("-o,--output", file,
                 "the page; default: report.html in the folder, or comparison.html here if several");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    const bool single = folders.size() == 1;
    if (file.empty()) file = single ? std::filesystem::path(folders.front()) / "report.html" : "comparison.html";
    temper::write_report(folders, file);
    temper::print("{}", file);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "temper-report: %s\n", error.what());
    return 1;
  }
}
