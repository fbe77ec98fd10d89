using FsCheck;
using FsCheck.Fluent;

namespace SaeUnbox.Core.Tests;

/// <summary>For any mutated text, a parser returns a valid value or throws a <see cref="RecipeException"/>.</summary>
public class ParserFuzzTests
{
    private const int Texts = 100;
    private const int MutationsOfEach = 40;
    private static readonly Recipe Defaults = new() { Model = "mini", Prompt = "" };

    [Fact]
    public void FromJson_MutatedRecipe_GivesAValidRecipeOrARecipeException() =>
        Fuzz(Samples.Recipes.Select(recipe => recipe.ToJson()), text => Recipe.FromJson(text).Validate().Count == 0);

    [Fact]
    public void RestoreJson_MutatedRecipe_GivesAValidRecipeOrARecipeException() =>
        Fuzz(Samples.Recipes.Select(recipe => recipe.ToJson()), text => Recipe.RestoreJson(text, Defaults).Recipe.Validate().Count == 0);

    [Fact]
    public void RestoreLink_MutatedLink_GivesAValidRecipeOrARecipeException() =>
        Fuzz(Samples.Recipes.Select(recipe => recipe.ToLink()), text => Recipe.RestoreLink(text, Defaults).Recipe.Validate().Count == 0);

    [Fact]
    public void Parse_MutatedMask_GivesAMaskOrARecipeException() =>
        Fuzz(Samples.Masks.Select(mask => mask.ToString()),
            text => BrushMask.Parse(text).Equals(BrushMask.Parse(BrushMask.Parse(text).ToString())));

    private static void Fuzz(Gen<string> texts, Func<string, bool> holds)
    {
        foreach (var (text, seed) in texts.Sample(Texts).Select((text, seed) => (text, seed)))
        {
            var random = new Random(seed);
            for (var i = 0; i < MutationsOfEach; i++)
            {
                var mutant = Mutate(text, random);
                try
                {
                    Assert.True(holds(mutant), mutant);
                }
                catch (RecipeException)
                {
                    // The expected error.
                }
            }
        }
    }

    private static string Mutate(string text, Random random)
    {
        const string Alphabet = "{}[]\",:\\-+.eE0123456789xnulltruef\u0000\ud83dé/_ ";
        var chars = text.ToList();
        for (var changes = random.Next(1, 4); changes > 0 && chars.Count > 0; changes--)
        {
            var at = random.Next(chars.Count);
            var length = Math.Min(random.Next(1, 20), chars.Count - at);
            switch (random.Next(6))
            {
                case 0: chars[at] = Alphabet[random.Next(Alphabet.Length)]; break;
                case 1: chars.Insert(at, Alphabet[random.Next(Alphabet.Length)]); break;
                case 2: chars.RemoveRange(at, length); break;
                case 3: chars.InsertRange(at, chars.GetRange(at, length)); break;
                case 4: chars[at] = (char)random.Next(0x10000); break;
                default: chars.RemoveRange(at, chars.Count - at); break;
            }
        }

        return new string([.. chars]);
    }
}
