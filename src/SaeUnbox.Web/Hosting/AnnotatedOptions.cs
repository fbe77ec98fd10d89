using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

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
