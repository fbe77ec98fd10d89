using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using SaeUnbox.Serving.TestWorker;

// A worker process that a test can kill. Settings are command-line options such as --SaeUnbox:RabbitMq:Uri=...
var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddSingleton<IReadOnlyList<IJobExecutor>>([new TestExecutor()]);
builder.Services.AddRabbitMqWorker(builder.Configuration);
await builder.Build().RunAsync();
