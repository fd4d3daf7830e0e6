#pragma once
/// Law 2, Dialogue: a script of given input, expected output and verbs, replayed with an end of the transport
/// at every step and in the middle of every input. It knows no protocol.

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/bytes.hpp"

namespace sinnet::test {

/// How a transport ends under a conversation.
enum class Ending {
  Eof,    ///< the peer says that it will send no more; it still reads
  Error,  ///< reads and writes fail from here on; what was frozen for writing is lost
};

/// A conversation with a Subject, which is one end of a connection and offers
///
///   void give(std::string_view bytes)          the peer sends this
///   std::string read(std::size_t bytes)        what the subject has written since, at least so much if it
///   can void end(Ending)                           the transport ends bool finish() lets all the time pass
///   it may take; whether it came to its end std::vector<std::string> told()            every event since it
///   was made static bool is_final(std::string_view)     whether this is an event behind which none may come
template <class Subject>
class Dialogue {
 public:
  using Make = std::function<std::unique_ptr<Subject>()>;
  using Verb = std::function<void(Subject&)>;

  Dialogue& give(std::string bytes) { return add({.input = std::move(bytes)}); }
  Dialogue& expect(std::string bytes) { return add({.output = std::move(bytes)}); }
  Dialogue& act(Verb verb) { return add({.verb = std::move(verb)}); }

  /// Plays it once whole, which must leave the events `told`, and then with either ending at every place:
  /// nobody may hang, be told an end twice or none, hear what was not said, or write what was not to be
  /// written.
  void run(const Make& make, const std::vector<std::string>& told) const {
    {
      SCOPED_TRACE("the whole dialogue");
      const std::unique_ptr<Subject> subject = make();
      for (const Step& step : steps_) play(*subject, step);
      EXPECT_EQ(subject->told(), told);
    }
    for (const Ending ending : {Ending::Eof, Ending::Error}) {
      for (std::size_t at = 0; at <= steps_.size(); ++at) {
        run_broken(make, told, at, 0, ending);
        if (at == steps_.size()) break;
        for (const std::size_t cut : cuts_of(steps_[at].input)) run_broken(make, told, at, cut, ending);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }

 private:
  /// One of the three is set.
  struct Step {
    std::string input{};
    std::string output{};
    Verb verb{};
  };

  Dialogue& add(Step step) {
    steps_.push_back(std::move(step));
    return *this;
  }

  /// Every place inside a short input; the first, the middle and the last of a long one.
  static std::vector<std::size_t> cuts_of(std::string_view input) {
    constexpr std::size_t short_bytes = 64;
    std::vector<std::size_t> cuts;
    if (input.size() > short_bytes) return {1, input.size() / 2, input.size() - 1};
    for (std::size_t cut = 1; cut < input.size(); ++cut) cuts.push_back(cut);
    return cuts;
  }

  static void play(Subject& subject, const Step& step) {
    if (step.verb) step.verb(subject);
    if (!step.input.empty()) subject.give(step.input);
    if (!step.output.empty()) {
      const std::string written = subject.read(step.output.size());
      EXPECT_EQ(hex(as_bytes(written)), hex(as_bytes(step.output))) << written;
    }
  }

  /// The first `at` steps and `cut` bytes of the next; then the transport ends.
  void run_broken(const Make& make, const std::vector<std::string>& told, std::size_t at, std::size_t cut,
                  Ending ending) const {
    SCOPED_TRACE(std::string(ending == Ending::Eof ? "EOF" : "error") + " before step " + std::to_string(at) +
                 ", behind " + std::to_string(cut) + " bytes of it");
    const std::unique_ptr<Subject> subject = make();
    for (std::size_t i = 0; i < at; ++i) play(*subject, steps_[i]);
    if (cut > 0) subject->give(std::string_view(steps_[at].input).substr(0, cut));
    subject->end(ending);
    EXPECT_TRUE(subject->finish()) << "it never comes to its end";
    const std::string late = subject->read(0);
    if (ending == Ending::Error) {
      EXPECT_EQ(hex(as_bytes(late)), "") << "written to a lost transport: " << late;
    }
    std::string due;
    for (std::size_t i = at; i < steps_.size(); ++i) due += steps_[i].output;
    EXPECT_EQ(late, due.substr(0, late.size())) << "written at the end";
    expect_sound_end(subject->told(), told);
  }

  static void expect_sound_end(const std::vector<std::string>& broken,
                               const std::vector<std::string>& whole) {
    ASSERT_FALSE(broken.empty()) << "nobody is told of the end";
    EXPECT_TRUE(Subject::is_final(broken.back())) << "told last: " << broken.back();
    for (std::size_t i = 0; i + 1 < broken.size(); ++i) {
      EXPECT_FALSE(Subject::is_final(broken[i])) << "told of an end before the end: " << broken[i];
      ASSERT_LT(i, whole.size()) << "told more than the whole dialogue tells: " << broken[i];
      EXPECT_EQ(broken[i], whole[i]);
    }
  }

  std::vector<Step> steps_;
};

}  // namespace sinnet::test
