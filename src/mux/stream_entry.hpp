#pragma once
/// What the session keeps of one stream: an entry of the slab, small because ten thousand of them may rest.

#include <array>
#include <cstdint>
#include <memory>

#include "mux/send_queue.hpp"
#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/mux/event.hpp"
#include "sinnet/mux/session.hpp"

namespace sinnet::mux {

/// "No slot", in links between entries.
inline constexpr std::uint32_t no_slot = 0xFFFFFFFF;

/// Deadlines a stream may have, all in one heap of the session.
enum class TimerKind : std::uint8_t { Read, Write, Open, Accept, Linger };
inline constexpr std::size_t timer_kinds = 5;

/// What few streams have, allocated when the first of it is needed.
struct StreamExtra {
  std::array<Time, timer_kinds> due{time_never, time_never, time_never, time_never, time_never};
  std::array<Time, timer_kinds> queued{time_never, time_never, time_never, time_never, time_never};
  std::uint64_t stream_type = 0;
  std::uint64_t reset_code = 0;    ///< to be sent
  std::uint64_t stop_code = 0;     ///< to be sent
  std::uint64_t stopped_code = 0;  ///< received; so is the next
  std::uint64_t aborted_code = 0;
  std::uint64_t end_code = 0;
  Buffer metadata;
};

/// Bits of `StreamEntry::told`: events that are to be polled, in this order.
enum class Tell : std::uint16_t {
  Opened = 1,
  Accepted = 2,
  Data = 4,
  Finished = 8,
  Aborted = 16,
  Stopped = 32,
  Writable = 64,
  ReadTimedOut = 128,
  WriteTimedOut = 256,
  Ended = 512,
};

/// Bits of `StreamEntry::due`: control frames that are to be frozen, in this order.
enum class Due : std::uint16_t {
  Open = 1,
  Accept = 2,
  Credit = 4,
  Finish = 8,
  FinishAnswer = 16,
  Reset = 32,    ///< of our sending half; with Stop and ResetBy::Both: one frame
  Stop = 64,     ///< of the peer's
  Answer = 128,  ///< the two above answer the peer's own
};

template <class Bits>
[[nodiscard]] constexpr std::uint16_t bit(Bits value) noexcept {
  return static_cast<std::uint16_t>(value);
}

struct StreamEntry {
  std::uint64_t id = 0;             ///< on the wire, once has_id
  std::uint64_t sent = 0;           ///< payload frozen
  std::uint64_t send_limit = 0;     ///< credit of the peer, as an offset
  std::uint64_t received = 0;       ///< payload that arrived
  std::uint64_t consumed = 0;       ///< … and was used up
  std::uint64_t receive_limit = 0;  ///< credit given, as an offset
  void* user = nullptr;
  std::unique_ptr<SendQueue> queue;  ///< only while something is unsent
  Buffer unread;                     ///< kept because nobody consumed it
  std::unique_ptr<StreamExtra> extra;
  std::uint32_t unread_begin = 0;  ///< offset in `unread`
  std::uint32_t window = 0;        ///< what the peer may send ahead
  std::uint32_t generation = 0;    ///< 0: the slot was never used
  std::uint32_t hash_next = no_slot;
  std::uint32_t ready_next = no_slot;
  std::uint32_t tell_next = no_slot;
  std::uint32_t due_next = no_slot;  ///< also links free slots
  std::int32_t deficit = 0;
  std::uint16_t told = 0;
  std::uint16_t due = 0;
  std::uint8_t urgency = 3;
  std::uint8_t band = 3;  ///< the scheduler's list: the urgency when it was linked
  EndReason end = EndReason::Finished;
  Half sending = Half::Open;
  Half receiving = Half::Open;
  bool is_ours : 1 = false;
  bool has_id : 1 = false;
  bool is_accepted : 1 = false;       ///< theirs: by our user; ours: by the peer, or the dialect does not say
  bool is_opened : 1 = false;         ///< ours: the opening is frozen
  bool is_draining : 1 = false;       ///< what arrives is dropped and credited
  bool wants_write : 1 = false;       ///< write() took less than offered
  bool was_blocked : 1 = false;       ///< … for want of credit
  bool is_finish_wanted : 1 = false;  ///< close_write() was called
  bool is_ended : 1 = false;          ///< Ended is to be told, or was
  bool is_dead : 1 = true;            ///< Ended was told, or the slot is free: handles find nothing
  bool is_telling : 1 = false;        ///< linked into the list of events
  bool is_due : 1 = false;            ///< linked into the list of control frames
  bool is_scheduled : 1 = false;      ///< in a list of the scheduler
  bool is_new : 1 = false;            ///< … the one for new flows
  bool is_ready : 1 = false;          ///< counted as having something to send
  bool is_untold : 1 = false;         ///< the user never heard of it, so it hears of no end
  bool is_hidden : 1 = false;         ///< … nor ever will: it carries probes
  bool in_table : 1 = false;          ///< the hash finds it

  [[nodiscard]] StreamExtra& extras() {
    if (extra == nullptr) extra = std::make_unique<StreamExtra>();
    return *extra;
  }
  /// Not ended, and not free: a slot keeps its generation when its stream is gone.
  [[nodiscard]] bool is_live() const noexcept { return !is_dead && !is_ended; }
  [[nodiscard]] std::size_t queued() const noexcept { return queue == nullptr ? 0 : queue->bytes(); }
  [[nodiscard]] std::size_t unread_bytes() const noexcept { return unread.size() - unread_begin; }
};

static_assert(sizeof(StreamEntry) <= 144, "ten thousand idle streams are to cost little");

}  // namespace sinnet::mux
