using System.Reflection;
using SaeUnbox.Web.Api;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Hosting;

/// <summary>Finds settings of the section "SaeUnbox" that do not exist, such as misspelt ones, which the framework ignores.</summary>
internal static class KnownSettings
{
    private static readonly (string Section, Type Options)[] All =
    [
        (ServingOptions.Section, typeof(ServingOptions)),
        (HostingOptions.Section, typeof(HostingOptions)),
        (HostingOptions.Section, typeof(RoleOptions)),
        (RabbitMqOptions.Section, typeof(RabbitMqOptions)),
        (CanvasOptions.Section, typeof(CanvasOptions)),
        (ShareOptions.Section, typeof(ShareOptions)),
        (ApiOptions.Section, typeof(ApiOptions)),
        (TelemetryOptions.Section, typeof(TelemetryOptions)),
    ];

    public static void RequireKnownSettings(this WebApplicationBuilder builder)
    {
        foreach (var error in Errors(builder.Configuration))
            builder.Services.AddSingleton(new SettingError(error));
    }

    internal static IEnumerable<string> Errors(IConfiguration configuration) =>
        Unknown(configuration.GetSection(ServingOptions.Section), All.Where(part => part.Section == ServingOptions.Section)
            .Select(part => part.Options).ToArray());

    private static IEnumerable<string> Unknown(IConfigurationSection section, Type[] types)
    {
        var properties = types.SelectMany(type => type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            .Where(property => property.SetMethod is { IsPublic: true } || ItemOf(property.PropertyType) is not null).ToArray();
        foreach (var setting in section.GetChildren())
        {
            if (setting.Path.Equals(ShareOptions.StoreKey, StringComparison.OrdinalIgnoreCase))
                continue;
            var property = Array.Find(properties, one => one.Name.Equals(setting.Key, StringComparison.OrdinalIgnoreCase));
            var inner = All.Where(part => part.Section.Equals(setting.Path, StringComparison.OrdinalIgnoreCase))
                .Select(part => part.Options).ToArray();
            if (inner.Length > 0)
                foreach (var error in Unknown(setting, inner))
                    yield return error;
            else if (property is null)
                yield return $"{setting.Path} is not a setting; {section.Path} has {string.Join(", ", Names())}.";
            else if (ItemOf(property.PropertyType) is { IsClass: true } item && item != typeof(string))
                foreach (var error in setting.GetChildren().SelectMany(element => Unknown(element, [item])))
                    yield return error;
        }

        IEnumerable<string> Names() => properties.Select(property => property.Name)
            .Concat(All.Where(part => part.Section.StartsWith(section.Path + ":", StringComparison.OrdinalIgnoreCase))
                .Select(part => part.Section[(section.Path.Length + 1)..]))
            .Append(section.Path == ServingOptions.Section ? "Store" : "").Where(name => name.Length > 0)
            .Distinct().Order(StringComparer.Ordinal);
    }

    // The type of a list's elements; null for other types.
    private static Type? ItemOf(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IList<>) ? type.GetGenericArguments()[0] : null;
}
