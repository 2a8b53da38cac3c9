extension RangeReplaceableCollection where Self: MutableCollection & BidirectionalCollection {
    /// Removes an element, and puts the last one in its place, which takes no longer in a long collection.
    ///
    /// - Returns: the element that is at `index` now, if it knows where it is; `nil` if the last one was removed.
    @discardableResult
    package mutating func swapRemove(at index: Index) -> Element? {
        let last = removeLast()
        guard index < endIndex else { return nil }
        self[index] = last
        return last
    }
}
