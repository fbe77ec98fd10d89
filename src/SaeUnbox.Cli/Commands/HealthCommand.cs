namespace SaeUnbox.Cli.Commands;

/// <summary><c>health</c>: checks whether a node answers, for containers without another HTTP client.</summary>
internal static class HealthCommand
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    public static Command Create(Terminal terminal)
    {
        var address = new Argument<string>("URL") { Description = "Address to ask, such as http://localhost:8080/readyz." };
        return terminal.NewCommand("health", "Check whether a node is healthy: the exit status is 0 if the address answers with success.",
            [address], (parsed, cancellation) =>
        {
            var text = parsed.GetRequiredValue(address);
            if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
                throw new CliException($"{Line.Quote(text)} is not an address such as http://localhost:8080/readyz.");
            using var client = new HttpClient { Timeout = AnswerTimeout };
            try
            {
                using var answer = client.Send(new HttpRequestMessage(HttpMethod.Get, uri), cancellation);
                if (!answer.IsSuccessStatusCode)
                    throw new CliException($"{uri} answers {(int)answer.StatusCode}.");
                terminal.Output.WriteLine($"{uri} answers {(int)answer.StatusCode}");
            }
            catch (HttpRequestException exception)
            {
                throw new CliException($"{uri} does not answer: {exception.Message}");
            }
            catch (TaskCanceledException) when (!cancellation.IsCancellationRequested)
            {
                throw new CliException($"{uri} did not answer within {AnswerTimeout.TotalSeconds:0} s.");
            }
        });
    }
}
