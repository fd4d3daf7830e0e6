#pragma once
/// Intrusive doubly linked lists: how timers and tasks queue without allocating. A link never owns its
/// neighbours.

namespace sinnet::io {

/// A place in at most one ring. An object that derives from it can leave its list without knowing the list.
class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }

  /// Leaves the list; nothing happens if it is in none.
  void unlink() noexcept {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

 protected:
  ~Link() { unlink(); }

 private:
  friend class LinkList;
  Link* next_ = nullptr;
  Link* previous_ = nullptr;
};

/// A ring with a sentinel. Destroying it unlinks what is left in it.
class LinkList {
 public:
  LinkList() noexcept { sentinel_.next_ = sentinel_.previous_ = &sentinel_; }
  LinkList(const LinkList&) = delete;
  LinkList& operator=(const LinkList&) = delete;
  ~LinkList() {
    while (pop_front() != nullptr) {
    }
  }

  [[nodiscard]] bool empty() const noexcept { return sentinel_.next_ == &sentinel_; }

  /// `link` must be in no list.
  void push_back(Link& link) noexcept {
    link.next_ = &sentinel_;
    link.previous_ = sentinel_.previous_;
    sentinel_.previous_->next_ = &link;
    sentinel_.previous_ = &link;
  }

  /// Takes the first link out; null if there is none.
  Link* pop_front() noexcept {
    if (empty()) return nullptr;
    Link* const first = sentinel_.next_;
    first->unlink();
    return first;
  }

  /// Moves everything of `other` behind what is here, in O(1).
  void take(LinkList& other) noexcept {
    if (other.empty()) return;
    Link* const first = other.sentinel_.next_;
    Link* const last = other.sentinel_.previous_;
    first->previous_ = sentinel_.previous_;
    sentinel_.previous_->next_ = first;
    last->next_ = &sentinel_;
    sentinel_.previous_ = last;
    other.sentinel_.next_ = other.sentinel_.previous_ = &other.sentinel_;
  }

 private:
  class Sentinel final : public Link {
    friend class LinkList;

   public:
    ~Sentinel() = default;
  };
  Sentinel sentinel_;
};

}  // namespace sinnet::io
