using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

internal static class AnnotatedOptionsExtensions
{
    /// <summary>Options of a section, checked by their attributes when the program starts.</summary>
    /// <returns>The options as they stand, for what must know them before that.</returns>
    public static T AddAnnotatedOptions<T>(this IServiceCollection services, IConfiguration configuration, string section) where T : class, new()
    {
        var settings = services.Readable<T>(configuration, section).GetSection(section);
        services.AddOptions<T>().Bind(settings).ValidateOnStart();
        services.AddSingleton<IValidateOptions<T>>(new AnnotatedOptions<T>(section));
        var asTheyStand = new T();
        settings.Bind(asTheyStand);
        return asTheyStand;
    }
}

/// <summary>Lists every mistake of a section at once, each with the key, the value and what is allowed.</summary>
internal sealed class AnnotatedOptions<T>(string section) : IValidateOptions<T> where T : class
{
    public ValidateOptionsResult Validate(string? name, T options)
    {
        var mistakes = Mistakes(options).ToArray();
        return mistakes.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(mistakes);
    }

    private IEnumerable<string> Mistakes(T options)
    {
        foreach (var property in typeof(T).GetProperties())
        {
            var value = property.GetValue(options);
            foreach (var rule in property.GetCustomAttributes(inherit: true).OfType<ValidationAttribute>().Where(rule => !rule.IsValid(value)))
                yield return string.Create(CultureInfo.InvariantCulture, $"{section}:{property.Name} is '{value}'; {Allowed(rule, property.Name)}.");
        }
        if (options is IValidatableObject whole)
            foreach (var mistake in whole.Validate(new ValidationContext(options)))
                yield return $"{section}:{string.Join(',', mistake.MemberNames)} {mistake.ErrorMessage}.";
    }

    private static string Allowed(ValidationAttribute rule, string name) => rule switch
    {
        RangeAttribute range => string.Create(CultureInfo.InvariantCulture, $"use {range.Minimum} to {range.Maximum}"),
        RequiredAttribute => "it cannot be left empty",
        _ => rule.FormatErrorMessage(name),
    };
}
