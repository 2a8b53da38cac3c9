extension LoopContext {
    /// Replaces the limits of the loop and of its connections. What was used up before still counts.
    func limitRates(_ limits: RateLimits) {
        guard limits != rates else { return }
        rates = limits
        for connection in connections { connection.session?.ratesChanged() }
    }
}
