#pragma once
/// Golden vectors of the reference programs (tests/vectors/<dialect>.txt; their heads say what was run).
/// Reads `scenario | direction | bytes | meaning` and expands `*N@K`. Knows no dialect.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "support/bytes.hpp"

namespace sinnet::mux::test {

struct Record {
  std::string scenario;
  bool from_client = false;
  bool is_probe = false;  ///< sent by a raw test socket, not by the reference program
  std::string word;       ///< EOF, NONE, PING …; empty where there are bytes
  std::vector<std::byte> bytes;
  std::string line;
};

inline std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

inline std::vector<std::byte> parse_bytes(std::string text) {
  std::size_t more = 0;
  std::size_t start = 0;
  if (const std::size_t star = text.find('*'); star != std::string::npos) {
    const std::size_t at = text.find('@', star);
    more = std::stoul(text.substr(star + 1, at - star - 1));
    start = std::stoul(text.substr(at + 1));
    text.resize(star);
  }
  std::vector<std::byte> bytes = sinnet::test::bytes(text);
  for (std::size_t i = 0; i < more; ++i) bytes.push_back(static_cast<std::byte>((start + i) % 251));
  return bytes;
}

inline std::vector<Record> read_vectors(const std::string& name) {
  std::ifstream file(std::string(SINNET_VECTORS) + "/" + name);
  EXPECT_TRUE(file) << name;
  std::vector<Record> records;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> fields;
    std::size_t begin = 0;
    for (std::size_t end = line.find('|'); fields.size() < 3; end = line.find('|', begin)) {
      fields.push_back(trimmed(line.substr(begin, end - begin)));
      begin = end == std::string::npos ? line.size() : end + 1;
    }
    const std::string meaning = trimmed(line.substr(begin));
    Record record{.scenario = fields[0],
                  .from_client = fields[1] == "C->S",
                  .is_probe = meaning.starts_with("probe"),
                  .word = {},
                  .bytes = {},
                  .line = line};
    if (fields[2].find_first_not_of("0123456789abcdef *@") == std::string::npos) {
      record.bytes = parse_bytes(fields[2]);
    } else {
      record.word = fields[2];
    }
    records.push_back(std::move(record));
  }
  return records;
}

inline std::map<std::string, std::vector<Record>> by_scenario(const std::string& name) {
  std::map<std::string, std::vector<Record>> scenarios;
  for (Record& record : read_vectors(name)) scenarios[record.scenario].push_back(record);
  return scenarios;
}

}  // namespace sinnet::mux::test
