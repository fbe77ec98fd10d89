using System.ComponentModel;
using System.Globalization;
using System.Reflection;

namespace SaeUnbox.Web.Hosting;

/// <summary>An invalid setting, described in one sentence. The program reports it with all other setting errors when it starts.</summary>
internal sealed record SettingError(string Message);

internal static class SettingErrors
{
    /// <summary>
    /// Returns the configuration without values of the section that do not fit their option's type, and registers an error for each.
    /// </summary>
    public static IConfiguration WithoutUnreadable<T>(this IServiceCollection services, IConfiguration configuration, string section)
        where T : class =>
        services.Without(configuration, Unreadable(configuration.GetSection(section), typeof(T)));

    /// <summary>Returns the configuration without these settings, and registers an error for each that states the allowed values.</summary>
    public static IConfiguration Without(
        this IServiceCollection services, IConfiguration configuration,
        IEnumerable<(IConfigurationSection Setting, string Allowed)> settings)
    {
        var removed = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (setting, allowed) in settings)
        {
            removed.Add(setting.Path);
            services.AddSingleton(new SettingError($"{setting.Path} is '{setting.Value}'; use {allowed}."));
        }
        if (removed.Count == 0)
            return configuration;
        var kept = configuration.AsEnumerable().Where(pair => pair.Value is not null && !removed.Contains(pair.Key));
        return new ConfigurationBuilder().AddInMemoryCollection(kept).Build();
    }

    private static IEnumerable<(IConfigurationSection Setting, string Allowed)> Unreadable(IConfigurationSection section, Type type)
    {
        if (TypeDescriptor.GetConverter(type).CanConvertFrom(typeof(string)))
            return CanBeRead(section, type) ? [] : [(section, Allowed(Nullable.GetUnderlyingType(type) ?? type))];
        if (IsList(type))
            return section.GetChildren().SelectMany(child => Unreadable(child, type.GetGenericArguments()[0]));
        return type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.SetMethod is { IsPublic: true } || IsList(property.PropertyType))
            .SelectMany(property => Unreadable(section.GetSection(property.Name), property.PropertyType));
    }

    private static bool IsList(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IList<>);

    private static bool CanBeRead(IConfigurationSection section, Type type)
    {
        try
        {
            section.Get(type);
            return true;
        }
        catch (InvalidOperationException)
        {
            // The framework reads no 7.0 as a whole number.
            if (!PlainNumber.TryWhole(section.Value, out long whole) || section.Value == Text(whole))
                return false;
            section.Value = Text(whole);
            return CanBeRead(section, type);
        }

        static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private static string Allowed(Type type) =>
        type == typeof(bool) ? "true or false"
        : type == typeof(TimeSpan) ? "a time such as 00:00:20 or 1.00:00:00"
        : type.IsEnum ? string.Join(", ", Enum.GetNames(type))
        : "a whole number";
}
