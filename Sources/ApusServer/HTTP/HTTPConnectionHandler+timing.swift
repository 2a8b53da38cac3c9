import NIOCore

// When the next deadline is looked at.

extension HTTPConnectionHandler {
    /// How long after a deadline the verdict comes. A loop that was held up, by a stopped process or a busy machine,
    /// may come to its timers before it has read what came in time: so it gets to read first.
    static let secondLook = TimeAmount.milliseconds(10)

    func setTimer(_ context: ChannelHandlerContext) {
        guard !isLookingAgain, !state.isClosed, let deadline = state.deadline else { return }
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        timer = (deadline, schedule(deadline, context) { self.timePassed(context) })
    }

    private func timePassed(_ context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        guard let deadline = state.deadline, now >= deadline else { return setTimer(context) }
        isLookingAgain = true
        let again = now + Self.secondLook
        timer = (
            again,
            schedule(again, context) {
                self.isLookingAgain = false
                let actions = self.state.timePassed(now: context.eventLoop.now, output: self.pacer.output)
                self.perform(actions, context)
            }
        )
    }

    private func schedule(
        _ deadline: NIODeadline,
        _ context: ChannelHandlerContext,
        _ look: @escaping () -> Void
    ) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            look()
        }
    }

    func watchSending(_ context: ChannelHandlerContext) {
        state.watchSending(pacer.output, now: context.eventLoop.now)
        setTimer(context)
    }
}
