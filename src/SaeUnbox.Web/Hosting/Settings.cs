using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Options;
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
        var properties = types.SelectMany(PropertiesOf).ToArray();
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

    /// <summary>The settings of an options class: what can be set, and lists.</summary>
    internal static IEnumerable<PropertyInfo> PropertiesOf(Type type) => type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.SetMethod is { IsPublic: true } || ItemOf(property.PropertyType) is not null);

    /// <summary>The type of a list's elements; null for other types.</summary>
    internal static Type? ItemOf(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IList<>) ? type.GetGenericArguments()[0] : null;
}

internal static class AnnotatedOptionsExtensions
{
    /// <summary>Binds a section to options and validates their attributes when the program starts.</summary>
    /// <returns>The options before validation, for code that needs them earlier.</returns>
    public static T AddAnnotatedOptions<T>(this IServiceCollection services, IConfiguration configuration, string section)
        where T : class, new()
    {
        var settings = services.WithoutUnreadable<T>(configuration, section).GetSection(section);
        services.AddOptions<T>().Bind(settings).ValidateOnStart();
        services.AddSingleton<IValidateOptions<T>>(new AnnotatedOptions<T>(section));
        var unvalidated = new T();
        settings.Bind(unvalidated);
        return unvalidated;
    }
}

/// <summary>Reports all errors of a section at once. Each names the key, its value and the allowed values.</summary>
internal sealed class AnnotatedOptions<T>(string section) : IValidateOptions<T> where T : class
{
    public ValidateOptionsResult Validate(string? name, T options)
    {
        var errors = Errors(options).ToArray();
        return errors.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private IEnumerable<string> Errors(T options)
    {
        foreach (var property in typeof(T).GetProperties())
        {
            var value = property.GetValue(options);
            var broken = property.GetCustomAttributes(inherit: true).OfType<ValidationAttribute>().Where(rule => !rule.IsValid(value));
            foreach (var rule in broken)
                yield return FormattableString.Invariant($"{section}:{property.Name} is '{value}'; {Allowed(rule, property.Name)}.");
        }
        if (options is IValidatableObject whole)
            foreach (var error in whole.Validate(new ValidationContext(options)))
                yield return $"{section}:{string.Join(',', error.MemberNames)} {error.ErrorMessage}.";
    }

    private static string Allowed(ValidationAttribute rule, string name) => rule switch
    {
        RangeAttribute range => FormattableString.Invariant($"use {range.Minimum} to {range.Maximum}"),
        RequiredAttribute => "it must not be empty",
        _ => rule.FormatErrorMessage(name),
    };
}

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
        return KnownSettings.ItemOf(type) is { } item
            ? section.GetChildren().SelectMany(child => Unreadable(child, item))
            : KnownSettings.PropertiesOf(type)
                .SelectMany(property => Unreadable(section.GetSection(property.Name), property.PropertyType));
    }

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
